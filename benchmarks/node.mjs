// The TypeScript SDK's side of loopback: reads "count inFlight" lines, answers with seconds per call.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const [origin, modules] = process.argv.slice(2);
const { TikTokShopSDK } = createRequire(modules)('tiktok-shop-sdk');

// The SDK always calls the service itself: what it asks for is sent to our server.
const fetchAnywhere = globalThis.fetch;
const service = 'https://open-api.tiktokglobalshop.com';
globalThis.fetch = (url, init) => fetchAnywhere(origin + url.slice(service.length), init);

const sdk = new TikTokShopSDK({ appKey: '68xu9ks5p4i8', appSecret: 'secret-of-the-app' });
sdk.setAccessToken('token-of-the-seller');
sdk.setShopCipher('ROW_xkMbgAAAeVAQra0eZWebFQq5aIKt');
const order = {
  order_id: '579489483240146725',
  cancel_reason: 'seller_cancel_reason_out_of_stock',
};

async function secondsPerCall(count, inFlight) {
  let left = count;
  const work = async () => {
    while (left-- > 0) await sdk.return_refund.cancelOrder(order);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, work));
  return (performance.now() - start) / 1000 / count;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [count, inFlight] = line.split(' ').map(Number);
  console.log(await secondsPerCall(count, inFlight));
}
process.exit(0);
