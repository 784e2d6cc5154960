// Loaded before a client whose base URL is fixed in its code: sends what it fetches to SHOP_ORIGIN.
const fetchAnywhere = globalThis.fetch;
const service = 'https://open-api.tiktokglobalshop.com';
globalThis.fetch = (url, init) => {
  if (!url.startsWith(service)) throw new Error(`not the service: ${url}`);
  return fetchAnywhere(process.env.SHOP_ORIGIN + url.slice(service.length), init);
};
