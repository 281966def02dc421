/** TLS over a socket that the broker handed over: its settings, and the time that a handshake may take. */
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { TlsIdentity } from '../../broker/calls.ts';

/** TLS 1.3, and of 1.2 what has forward secrecy and authenticated encryption (RFC 9325 section 4.2). */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

export function secureContext({ certificate, key }: TlsIdentity): SecureContext {
  return createSecureContext({
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
  });
}

/** Calls `ready` once the handshake is done; a socket that fails or takes longer is closed. */
export function secure(
  socket: Socket,
  context: SecureContext,
  milliseconds: number,
  ready: () => void,
  protocol = 'http/1.1',
): TLSSocket {
  const tls = new TLSSocket(socket, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: [protocol],
    requestCert: false,
  });
  const late = setTimeout(() => {
    tls.destroy();
  }, milliseconds);
  tls.once('close', () => {
    clearTimeout(late);
  });
  // Scanners and aborted handshakes: 'close' follows.
  tls.on('error', () => undefined);
  socket.on('error', () => undefined);
  // A client that goes in the middle of the handshake ends the socket below, of which the one above is not told.
  socket.once('close', () => {
    tls.destroy();
  });
  tls.once('secure', () => {
    clearTimeout(late);
    ready();
  });
  return tls;
}
