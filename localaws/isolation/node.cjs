// Loaded by every Node.js that runs here (NODE_OPTIONS): see __init__.py, of which this is the same for Node.js.
'use strict';
const dns = require('dns');
const net = require('net');

const aws = /(^|\.)(amazonaws\.com(\.cn)?|api\.aws)$/;
const metadata = new Set(['169.254.169.254', '169.254.170.2', '169.254.170.23', 'fd00:ec2::254', 'fd00:ec2::23']);

function check(host) {
  const name = String(host || '').replace(/\.$/, '').toLowerCase();
  if (!aws.test(name) && !metadata.has(name)) return;
  throw new Error(`${name} can't be reached from the local AWS environment: let the call go to the address in AWS_ENDPOINT_URL, ` +
    'which version 3 of the AWS SDK for JavaScript knows. (LOCALAWS_NETWORK=open lets it through.)');
}

function guarded(original) {
  return function (host, ...rest) {
    check(host);
    return original.call(this, host, ...rest);
  };
}

for (const name of ['lookup', 'resolve', 'resolve4', 'resolve6']) {
  dns[name] = guarded(dns[name]);
  dns.promises[name] = guarded(dns.promises[name]);
}
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...options) {
  const given = Array.isArray(options[0]) ? options[0][0] : options[0];
  if (given && typeof given === 'object') check(given.host);
  return connect.apply(this, options);
};
