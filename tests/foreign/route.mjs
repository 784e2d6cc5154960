// Loaded before a client whose hosts are fixed in its code: sends its requests to SHOP_ORIGIN.
import http from 'node:http';
import https from 'node:https';

const hosts = ['open-api.tiktokglobalshop.com', 'auth.tiktok-shops.com'];
const origin = new URL(process.env.SHOP_ORIGIN);

function requireServiceHost(host) {
  if (!hosts.includes(host)) throw new Error(`not a host of the service: ${host}`);
}

const fetchAnywhere = globalThis.fetch;
globalThis.fetch = (url, init) => {
  const [, host, target] = /^https:\/\/([^/]*)(.*)$/.exec(url);
  requireServiceHost(host);
  return fetchAnywhere(origin.origin + target, init);
};

// What axios sends through.
https.request = (options, onResponse) => {
  requireServiceHost(options.hostname);
  const { hostname, port } = origin;
  return http.request({ ...options, protocol: 'http:', host: hostname, hostname, port, agent: null }, onResponse);
};
