import { DragomanError } from './errors.ts'
import type { Token, Verified } from './token.ts'
import type { Value, ValueMap } from './value.ts'
import { isMap, map, sameValue } from './value.ts'

// A chain of eight is longer than any call chain we know; a deeper one is refused, since cutting it forges history.
export const MAX_ACT_DEPTH = 8
/** Bytes of an `act` claim as JSON. */
export const MAX_ACT_BYTES = 4096

// RFC 8693 §4.1: identity claims only; these say when and for whom a token is valid, which an actor entry does not.
const NOT_IN_ACT = new Set(['exp', 'nbf', 'iat', 'aud', 'jti', 'cnf', 'scope', 'act', 'may_act'])

/** How many actors an `act` claim names; 0 for none. @throws `ERR_TOKEN_ACT` when it is malformed, too deep or too big */
export function actDepth(act: Value | undefined): number {
  if (act === undefined) return 0
  let depth = 0
  for (let link: Value | undefined = act; link !== undefined; link = link['act']) {
    if (!isMap(link)) throw new DragomanError('ERR_TOKEN_ACT', { detail: { expected: 'act is an object' } })
    depth += 1
    if (depth > MAX_ACT_DEPTH) {
      throw new DragomanError('ERR_TOKEN_ACT', { detail: { expected: `at most ${MAX_ACT_DEPTH} actors` } })
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(act))
  if (bytes > MAX_ACT_BYTES) {
    throw new DragomanError('ERR_TOKEN_ACT', { detail: { expected: `at most ${MAX_ACT_BYTES} bytes`, actual: bytes } })
  }
  return depth
}

/**
 * `actor` as the newest, outermost entry, with everything earlier unchanged inside it (RFC 8693 §4.1).
 *
 * @throws `ERR_TOKEN_ACT` when that is too deep or too big, or when nothing in `actor` says who it is
 */
export function prependActor(actor: ValueMap, earlier: Value | undefined): ValueMap {
  const entries = Object.entries(actor).filter(([name]) => !NOT_IN_ACT.has(name))
  if (entries.length === 0) throw new DragomanError('ERR_TOKEN_ACT', { detail: { expected: 'an actor that is named' } })
  const act = map(earlier === undefined ? entries : [...entries, ['act', earlier]])
  actDepth(act)
  return act
}

/** Whether `act` is `earlier` itself, or `earlier` stands unchanged somewhere inside it. */
export function keepsHistory(act: Value | undefined, earlier: Value | undefined): boolean {
  if (earlier === undefined) return true
  for (let link = act; isMap(link); link = link['act']) if (sameValue(link, earlier)) return true
  return false
}

/**
 * Refuses an exchange whose acting party is not the one the subject token's `may_act` names (RFC 8693 §4.4).
 *
 * Compares every identity member that `may_act` carries, `iss` included where it is there. Where it is not, names are those
 * of the subject token's own issuer: an actor token of another issuer is somebody else of that name. A token without
 * `may_act` passes: whether a third party may act then is the profile's word.
 */
export function assertMayAct(subject: Verified<Token>, party: ValueMap): void {
  const mayAct = subject.claims['may_act']
  if (mayAct === undefined) return
  if (!isMap(mayAct) || Object.keys(mayAct).length === 0) {
    throw new DragomanError('ERR_TOKEN_MAY_ACT', { detail: { expected: 'may_act is an object that names an actor' } })
  }
  const mismatch = Object.entries(mayAct).find(([name, value]) => !sameValue(party[name], value))
  if (mismatch) throw new DragomanError('ERR_TOKEN_MAY_ACT', { detail: { member: mismatch[0] } })
  const { iss } = party
  if (iss !== undefined && mayAct['iss'] === undefined && iss !== subject.provenance.issuer) {
    throw new DragomanError('ERR_TOKEN_MAY_ACT', {
      detail: { member: 'iss', expected: 'an actor token of the issuer of the subject token, or iss in may_act' },
    })
  }
}
