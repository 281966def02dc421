/** How a server is known by its key: SHA-256 of the SubjectPublicKeyInfo, which stays when the certificate is renewed. */
import { createHash, X509Certificate } from 'node:crypto';

export function keyDigest(certificate: X509Certificate): Buffer {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

/** As people give it to --trust: "sha256/" and base64. Of PEM the first certificate counts. */
export function keyPin(certificate: string): string {
  return `sha256/${keyDigest(new X509Certificate(certificate)).toString('base64')}`;
}
