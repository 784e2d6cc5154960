// Makes the calls that stand on stdin as JSON, with the npm package tiktok-shop-client as it is.
import { createReadStream, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const library = createRequire(process.env.NODE_MODULES)('tiktok-shop-client');
const { credentials, calls } = JSON.parse(readFileSync(0, 'utf8'));

const config = { appKey: credentials.app_key, appSecret: credentials.app_secret };
const client = library.TikTokClient({
  ...config,
  accessToken: credentials.access_token,
  shopCipher: credentials.shop_cipher ?? undefined,
});

async function outcome({ method, arguments: given, file, exported }) {
  try {
    const all = file ? [createReadStream(file)] : exported ? [config, ...given] : given;
    return { answer: (await (exported ? library : client)[method](...all)) ?? null };
  } catch (error) {
    const { code = null, message = error.message } = error.response?.data ?? {};
    return { code, message };
  }
}

const outcomes = [];
for (const call of calls) outcomes.push(await outcome(call));
// Idle connections would keep the process; what is written to a pipe takes a moment.
process.stdout.write(JSON.stringify(outcomes), () => process.exit(0));
