import type { TokenAcceptance } from '../../core/profile.ts'
import type { Ask } from '../ask.ts'
import type { Difference } from '../compare.ts'
import type { TokenDocument } from '../document.ts'
import type { Issue } from '../outcome.ts'
import type { Stand } from '../stand.ts'
import { textsOf } from '../tokens.ts'
import type { TwinName } from './names.ts'

/** The case that twins are made of: what it asked, and what it got. */
export interface Seed {
  readonly ask: Ask
  readonly issue: Issue
  readonly stand: Stand
}

/** A twin that is to be tried. */
export interface Variant {
  readonly name: TwinName
  /** Which of several it is: `actor`, a claim; empty: there is one only. */
  readonly of: string
  readonly ask: Ask
  /** Presented to the other tenant, as it was made for the first. */
  readonly elsewhere?: true
  /** Asked twice, with the same tokens or the same proof; the second time counts. */
  readonly again?: 'tokens' | 'proof'
  /** For a twin that may be issued, but not as it asks: what is wrong with what was issued. */
  readonly judge?: (issue: Issue) => Difference | undefined
}

/** A twin that does not apply, and why. */
export interface Moot {
  readonly name: TwinName
  readonly of: string
  readonly reason: string
}

export type Maker = (seed: Seed) => readonly (Variant | Moot)[]

export type Role = 'subject' | 'actor'

/** A token of a request, by its role, and what the profile asks of it. */
export interface Part {
  readonly role: Role
  readonly of: '' | 'actor'
  readonly token: TokenDocument
  readonly accepts: TokenAcceptance
}

/** The tokens of a request of which twins are made. */
export function partsOf({ ask, stand }: Seed): readonly Part[] {
  const { subject, actor } = stand.profile.accepts
  const parts: Part[] = [{ role: 'subject', of: '', token: ask.subject, accepts: subject }]
  if (ask.actor !== undefined && actor !== undefined) {
    parts.push({ role: 'actor', of: 'actor', token: ask.actor, accepts: actor })
  }
  return parts
}

/** The request with one of its tokens changed. */
export const withToken = (ask: Ask, { role, token }: Part, change: TokenDocument): Ask => ({
  ...ask,
  [role]: { ...token, ...change },
})

/** The same with some claims changed. */
export const withClaims = (ask: Ask, part: Part, claims: { readonly [name: string]: unknown }): Ask =>
  withToken(ask, part, { claims: { ...part.token.claims, ...claims } })

/** The same with a token that is also for somebody else. */
export const withAudience = (ask: Ask, part: Part, audience: string): Ask =>
  withClaims(ask, part, { aud: [...audienceOf(part), audience] })

/** Whom a token is for, as its description has it: as it says, or without a word of it such that the profile takes it. */
export const audienceOf = ({ token, accepts }: Part): readonly string[] =>
  textsOf(token.claims?.['aud'] ?? accepts.audience.slice(0, 1))

/** Somebody whom nobody trusts or knows. */
export const STRANGER = 'stranger.dragoman-test.example'

export const formatOf = ({ token, accepts }: Part): string => token.format ?? accepts.format
