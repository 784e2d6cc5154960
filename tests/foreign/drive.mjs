// Makes the calls that stand on stdin as JSON, with the npm package tiktok-shop-sdk as it is.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { TikTokShopSDK } = createRequire(process.env.NODE_MODULES)('tiktok-shop-sdk');
const { credentials, calls } = JSON.parse(readFileSync(0, 'utf8'));

const sdk = new TikTokShopSDK({ appKey: credentials.app_key, appSecret: credentials.app_secret });
sdk.setAccessToken(credentials.access_token);
if (credentials.shop_cipher) sdk.setShopCipher(credentials.shop_cipher);

const outcomes = [];
for (const { group, method, argument, file } of calls) {
  const given = file ? { ...argument, data: Buffer.from(file, 'base64') } : argument;
  try {
    outcomes.push({ answer: (await sdk[group][method](given)) ?? null });
  } catch (error) {
    outcomes.push({ code: error.code ?? null, message: error.message });
  }
}
// Idle connections would keep the process; what is written to a pipe takes a moment.
process.stdout.write(JSON.stringify(outcomes), () => process.exit(0));
