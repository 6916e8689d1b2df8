import type { Detail, ErrorCode } from '../core/errors.ts'
import type { Services, TokenRequest } from '../core/exchange.ts'
import { type Origin, type Place, placeText } from '../core/place.ts'
import type { Profile, TokenAcceptance } from '../core/profile.ts'
import type { Proof } from '../core/proof.ts'
import type { Token } from '../core/token.ts'
import type { Told } from './types.ts'

/** Where the parts of a tenant's configuration stand. */
export interface ConfigurationPlaces {
  readonly origin: Origin
  /** `issuers[1].subjects` of the issuer of this name; of one that is not there, the list. */
  issuer(name: string, option?: string): Place
  client(id: string, option?: string): Place
  /** `clients`, `issuers`, … of this tenant. */
  list(name: string): Place
}

/** What a rule knows of a refusal. */
export interface Found {
  readonly code: ErrorCode
  readonly detail: Detail
  /** The step of the recipe that refused. */
  readonly step: string
  /** The path of the stage that refused, such as `stages[1].validity`. */
  readonly stage: string | undefined
  readonly role: 'subject' | 'actor'
  readonly profile: Profile | undefined
  /** Profiles that came as far as this rule, {@link profile} first: where none was selected, those that were nearest. */
  readonly near: readonly Profile[]
  readonly services: Services
  readonly request: TokenRequest | undefined
  readonly clientId: string | undefined
  /** The token in question, when its signature is good. */
  readonly token: Token | undefined
  /** What the token says of its signer before that is believed. */
  readonly hint: Hint | undefined
  readonly proofs: readonly Proof[]
  readonly now: number
  readonly configuration: ConfigurationPlaces | undefined
}

/** Read from a token whose signature is not checked: good for a question, not for an answer. */
export interface Hint {
  readonly issuer: string | undefined
  readonly kid: string | undefined
  readonly algorithm: string | undefined
}

/** What a rule says: `path` is in the profile. */
export interface Words extends Omit<Told, 'place'> {
  readonly path?: string | undefined
  /** In place of `path`: somewhere in the configuration. */
  readonly place?: Place | undefined
}

export type Rule = (found: Found) => Words

export type Rules = { readonly [Code in ErrorCode]?: Rule }

/** What the profile says about tokens in the role in question. */
export const acceptanceOf = ({ profile, role }: Found): TokenAcceptance | undefined => profile?.accepts[role]

/** ` at orders.yaml:7:13`, for a sentence; empty where the profile was not read from a file. */
export const at = ({ profile }: Found, path: string): string => {
  const place = profile?.origin?.place(path)
  return place === undefined ? '' : ` at ${placeText(place)}`
}

/** The same for a place in the configuration. */
export const atPlace = (place: Place | undefined): string => (place === undefined ? '' : ` at ${placeText(place)}`)

/** The option in the profile that takes tokens in this role, such as `accept.subject.audience`. */
export const option = ({ role }: Found, name: string): string => `accept.${role}.${name}`

/** `subject token` or `actor token`. */
export const tokenName = ({ role }: Found): string => `${role} token`

/** The request parameter of the token in question. */
export const parameterOf = ({ role }: Found): string => `${role}_token`

/** Where an option of this profile stands. */
export const placeIn = (profile: Profile | undefined, path: string): Place | undefined => profile?.origin?.place(path)
