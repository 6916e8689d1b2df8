import { PATH_CLAIM } from '../core/path.ts'
import { wrongOption } from './options.ts'

/**
 * Claims that only the gateway and their own stages write: a mapping must not (they decide who, for whom, how long, and
 * who may present it). `client_id` is written by the codec, for the kinds that have it.
 */
export const RESERVED: ReadonlySet<string> = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'],
  ...['cnf', 'act', 'may_act', 'scope', 'client_id', PATH_CLAIM],
])

/** How the subject was authenticated: kept or dropped, never made up by a gateway that did not do it (RFC 9068 §2.2.1). */
export const AUTHENTICATION: ReadonlySet<string> = new Set(['acr', 'amr', 'auth_time'])

/** Not part of `keep: "*"`: rights, which are not facts about the subject and were given for another audience. */
export const RIGHTS: ReadonlySet<string> = new Set(['may_act', 'authorization_details'])

/** Header members that say how a token is signed or read: RFC 7515 §4.1, 7516 §4.1, 7797. */
export const SIGNATURE_HEADER: ReadonlySet<string> = new Set([
  ...['alg', 'enc', 'zip', 'kid', 'typ', 'cty', 'crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'],
  ...['epk', 'apu', 'apv', 'iv', 'tag', 'p2s', 'p2c', 'url', 'nonce', 'jwt'],
])

/** The stage that has the say, for a refusal that helps. */
const OWNER: { readonly [claim: string]: string } = {
  sub: 'the subject stage',
  aud: 'accept.targets',
  exp: 'the validity stage',
  nbf: 'the validity stage',
  scope: 'the validity stage',
  cnf: 'the sender_constraint stage',
  act: 'the embedding stage',
  client_id: 'the kind of the format, or the sender_constraint stage,',
  [PATH_CLAIM]: 'the embedding stage',
}

/** @throws {@link DragomanError} `ERR_PROFILE_OPTION` when `claim` is one of {@link RESERVED} */
export function assertFree(claim: string, path: string): void {
  if (!RESERVED.has(claim)) return
  throw wrongOption(path, `another claim than ${claim}, which ${OWNER[claim] ?? 'the gateway'} decides`)
}

/** @throws {@link DragomanError} `ERR_PROFILE_OPTION` when `claim` cannot be given a value by a profile */
export function assertWritable(claim: string, path: string): void {
  assertFree(claim, path)
  if (!AUTHENTICATION.has(claim)) return
  throw wrongOption(path, `another claim than ${claim}, which only who authenticated the subject can say`)
}
