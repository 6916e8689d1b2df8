import { DragomanError } from '../../core/errors.ts'
import { parseSpiffeId } from '../../core/spiffe.ts'
import type { Certificate } from '../../wire/certificate.ts'
import { extensionOids, keyUsages, purposes } from '../../wire/extensions.ts'
import { urisOf } from './names.ts'

const wrongKind = (check: string, expected: string) =>
  new DragomanError('ERR_TOKEN_KIND', { detail: { check, expected } })

/**
 * The SPIFFE ID of a leaf, by the rules of an X.509-SVID beyond RFC 5280 (SPIFFE X509-SVID §4, §5.2).
 *
 * Checks: exactly one URI among its names, whatever the others are; a SPIFFE ID with a path, of this trust domain; key
 * usage there, critical, for signatures and for nothing that an authority does; both purposes of TLS where there are
 * any. Does NOT validate the path, nor that the leaf is no authority: {@link findPath} does.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_SUBJECT`, `ERR_TOKEN_SUBJECT_SPACE`, `ERR_TOKEN_KIND`
 */
export function svidSubject(leaf: Certificate, trustDomain: string | undefined): string {
  const { keyUsage, extendedKeyUsage, all } = leaf.extensions
  const [uri, ...more] = urisOf(leaf)
  const id = uri === undefined || more.length > 0 ? undefined : parseSpiffeId(uri)
  if (uri === undefined || !id || id.path === '') {
    throw new DragomanError('ERR_TOKEN_SUBJECT', { detail: { expected: 'exactly one URI, a SPIFFE ID with a path' } })
  }
  if (id.trustDomain !== trustDomain) {
    throw new DragomanError('ERR_TOKEN_SUBJECT_SPACE', {
      detail: { expected: trustDomain, rule: 'issuers[].trust_domain' },
    })
  }
  if (keyUsage === undefined || !all.get(extensionOids.keyUsage)?.critical)
    throw wrongKind('key_usage', 'a critical key usage')
  if (!(keyUsage & keyUsages.digitalSignature)) throw wrongKind('key_usage', 'digitalSignature')
  if (keyUsage & (keyUsages.keyCertSign | keyUsages.cRLSign))
    throw wrongKind('key_usage', 'no keyCertSign and no cRLSign')
  for (const purpose of [purposes.clientAuth, purposes.serverAuth]) {
    if (extendedKeyUsage && !extendedKeyUsage.includes(purpose)) throw wrongKind('extended_key_usage', purpose)
  }
  return uri
}

/**
 * Refuses a path whose authorities carry the identity of a workload (SPIFFE X509-SVID §4).
 *
 * An ID that is none, such as `spiffe://example.org/` with its slash, is passed over: authorities are not identities.
 */
export function checkSigningAuthorities(authorities: readonly Certificate[]): void {
  if (authorities.some((authority) => urisOf(authority).some((uri) => parseSpiffeId(uri)?.path))) {
    throw new DragomanError('ERR_TRUST_PATH', {
      detail: { check: 'spiffe_id', expected: 'no path in the SPIFFE ID of an authority' },
    })
  }
}
