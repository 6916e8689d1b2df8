import { type Danger, dangers, type Profile } from '../core/profile.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../core/types.ts'
import { modeFault, type SecretFile, secretFilesOf } from './secret-files.ts'
import type { ClientEntry, ForwardAuthEntry, ListenerEntry, TenantEntry } from './types.ts'

/**
 * What an operator should know of a tenant before it starts, a sentence each: what is legal and gives something up. First
 * of all every `danger_` option. `mode`: the permission bits of a file that it names. Does NOT speak of listeners as such.
 */
export function warningsOf(
  entry: TenantEntry,
  profiles: readonly Profile[],
  listeners: readonly ListenerEntry[],
  mode: (file: string) => number | undefined,
): readonly string[] {
  const { clients = [], secrets = [], issuers = [] } = entry
  return [
    ...profiles.flatMap(ofProfile),
    ...issuers.filter(reachesInside).map(({ issuer }) => `issuer ${issuer}: its keys may come from a private address`),
    ...issuers
      .filter(({ subjects }) => subjects.includes('*'))
      .map(({ issuer }) => `issuer ${issuer}: it may speak of any subject`),
    ...clients.flatMap((client) => ofClient(client, listeners)),
    ...secrets
      .filter(({ value }) => value !== undefined)
      .map(({ name }) => `the secret ${name} stands in the configuration`),
    ...(entry.forward_auth ?? []).flatMap((endpoint) => ofForwardAuth(endpoint, listeners)),
    ...readableOf(secretFilesOf(entry), mode),
    ...(entry.x509?.conforming === false ? ['x509: certificates that RFC 5280 does not allow are taken'] : []),
  ]
}

/** Files with keys or secrets that others than their owner can read. */
export const readableOf = (
  files: readonly SecretFile[],
  mode: (file: string) => number | undefined,
): readonly string[] =>
  files.flatMap(({ file, holds }) => {
    const fault = modeFault(mode(file))
    return fault === undefined ? [] : [`${holds}: ${file}: ${fault}`]
  })

function ofProfile({ name, dangers: on, accepts }: Profile): readonly string[] {
  const tokens = [accepts.subject, ...(accepts.actor ? [accepts.actor] : [])]
  const says = (text: string) => `profile ${name}: ${text}`
  return [
    ...[...on].map(([danger, path]) => says(`${path}: ${givenUp(danger)}`)),
    ...(accepts.subjectTokenAuthenticates ? [says('whoever has a subject token may use it, without a client')] : []),
    ...tokens
      // A certificate has no audience that could be asked for, what is not signed need not have one, and one of a client's is
      // asked for by `for_client`.
      .filter(({ format, audience, forClient }) => format !== 'x509' && forClient !== 'aud' && audience.length === 0)
      .filter(({ types }) => !types.includes(tokenTypes.unsignedJson))
      .map(() => says('tokens are taken that were issued for somebody else (audience: any)')),
    ...(accepts.grant !== TOKEN_EXCHANGE && accepts.subject.kind === undefined
      ? [says('grants without an explicit type are taken, and an ID token could pass for one (set `kind`)')]
      : []),
  ]
}

const givenUp = (danger: string): string =>
  Object.hasOwn(dangers, danger) ? dangers[danger as Danger] : 'see the reference of the stage'

const reachesInside = ({ fetch }: { readonly fetch?: { readonly allow_private_addresses?: boolean } }): boolean =>
  fetch?.allow_private_addresses === true

function ofClient(client: ClientEntry, listeners: readonly ListenerEntry[]): readonly string[] {
  const says = (text: string) => `client ${client.client_id}: ${text}`
  const noTls = !listeners.some(({ tls }) => tls !== undefined)
  return [
    ...(client.client_secret === undefined
      ? []
      : [`the secret of the client ${client.client_id} stands in the configuration`]),
    ...(reachesInside(client) ? [says('its keys may come from a private address')] : []),
    ...(client.assertion_audience === 'legacy' ? [says('its assertions may be for other servers too')] : []),
    ...(client.token_endpoint_auth_method === 'tls_client_auth' && noTls
      ? [says('it authenticates by certificate, and no listener has TLS')]
      : []),
  ]
}

function ofForwardAuth(
  { name, client_certificate: certificate }: ForwardAuthEntry,
  listeners: readonly ListenerEntry[],
): readonly string[] {
  const says = (text: string) => `forward_auth ${name}: ${text}`
  return [
    ...(listeners.some(({ forward_auth: served }) => served === true)
      ? []
      : [says('no listener has `forward_auth: true`, so nobody can ask')]),
    ...(certificate === undefined
      ? []
      : [says(`client certificates are taken as the proxy says in ${certificate.header}, without a handshake`)]),
  ]
}
