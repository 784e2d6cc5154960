// Makes the calls that come on stdin, one in a line as JSON, with the npm package tiktok-shop as it is.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const TikTokShop = createRequire(process.env.NODE_MODULES)('tiktok-shop');

async function outcome({ config, method, arguments: given }) {
  try {
    const target = config ? new TikTokShop(config) : TikTokShop;
    const answer = await target[method](...given);
    // The functions that are not methods return their errors.
    return answer instanceof Error ? { message: answer.message } : { answer };
  } catch (error) {
    return { message: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await outcome(JSON.parse(line)))}\n`);
}
