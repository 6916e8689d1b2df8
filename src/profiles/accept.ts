import { type AcceptanceDefaults, type AcceptanceOptions, tokenAcceptance } from '../core/acceptance.ts'
import type { Grant } from '../core/grant.ts'
import type { Acceptance, Targets, TokenAcceptance } from '../core/profile.ts'
import type { TokenType } from '../core/token.ts'
import type { TrustedIssuer } from '../core/trust.ts'
import { OF_THE_CLIENT, tokenTypes } from '../core/types.ts'
import type { AcceptDocument, ProfileDocument, ProfileEnvironment } from './document.ts'
import { hint } from './nearest.ts'
import type { Report } from './report.ts'
import { clientsOf } from './transactions.ts'

/** What stands where a profile says nothing about tokens, and which issuers it may name. */
export function acceptanceDefaults(environment: ProfileEnvironment): AcceptanceDefaults {
  const { issuer, tokenEndpoint, clockSkew, catalog, issuers, trust } = environment
  const known = ['self', issuer, ...issuers]
  return {
    issuer,
    tokenEndpoint,
    clockSkew,
    types: (format) => catalog.codecs.find((codec) => codec.format === format)?.tokenTypes,
    kindRules: (format, kind) => catalog.codecs.find((codec) => codec.format === format)?.kindRules?.(kind),
    issuerFault(name, format, types) {
      if (!known.includes(name)) return `there is no issuer ${JSON.stringify(name)}; ${hint(name, known, 'there are')}`
      return faultFor(trust?.find(name), format, types)
    },
  }
}

/** An issuer without what signatures of this format are checked against would have each of its tokens refused. */
function faultFor(issuer: TrustedIssuer | undefined, format: string, types: readonly TokenType[]): string | undefined {
  if (issuer === undefined) return undefined
  const { has } = issuer
  if (types.includes(tokenTypes.unsignedJson)) {
    return has.unsigned === true ? undefined : 'an issuer with `unsigned: true`'
  }
  if (format === 'x509') return has.certificates ? undefined : 'an issuer with certificates; this one has keys only'
  // What a codec of one's own checks against is not known.
  if (format !== 'jwt' && format !== 'cwt') return undefined
  if (has.keys) return undefined
  return `an issuer with keys; this one has ${has.certificates ? 'certificates only' : 'none'}`
}

/** `accept`: who may use the profile, with what. Reports clients, issuers and targets that cannot be. */
export function acceptanceOf(
  { accept, transactions }: Pick<ProfileDocument, 'accept' | 'transactions'>,
  environment: ProfileEnvironment,
  defaults: AcceptanceDefaults,
  report: Report,
): Acceptance | undefined {
  const { subject_token_authenticates: authenticates = false } = accept
  const clients = accept.clients ?? (transactions ? clientsOf(transactions) : [])
  if (transactions && (accept.clients || authenticates)) {
    const option = accept.clients ? 'clients' : 'subject_token_authenticates'
    const message = 'no such option beside `transactions`: its rows say which clients there are'
    report.add({ path: ['accept', option], message, code: 'ERR_PROFILE_OPTION', atName: true })
  }
  if (clients.length === 0 && !authenticates) {
    report.add({
      path: ['accept'],
      message: 'expected `clients`, or `subject_token_authenticates: true`',
      atName: true,
    })
  }
  for (const [index, client] of accept.clients?.entries() ?? []) {
    if (environment.clients.includes(client)) continue
    const message = `there is no client ${JSON.stringify(client)}; ${hint(client, environment.clients, 'there are')}`
    report.add({ path: ['accept', 'clients', index], message, code: 'ERR_PROFILE_OPTION' })
  }
  const formats = environment.catalog.codecs.map(({ format }) => format)
  const grant = grantNamed(accept.grant, environment)
  const taken = (role: 'subject' | 'actor', options: AcceptanceOptions): TokenAcceptance | undefined => {
    const { format } = options
    const standing = role === 'subject' ? { ...defaults, grant: grant.rules } : defaults
    if (formats.includes(format)) return report.attempt([], () => tokenAcceptance(options, standing, `accept.${role}`))
    const message = `expected the name of a codec; ${hint(format, formats, 'there are')}`
    report.add({ path: ['accept', role, 'format'], message, code: 'ERR_PROFILE_OPTION' })
    return undefined
  }
  const subject = taken('subject', accept.subject)
  const actor = accept.actor && taken('actor', accept.actor)
  for (const [role, token] of [
    ['subject', subject],
    ['actor', actor],
  ] as const) {
    const fault = token && presenterFault(token, authenticates)
    if (fault) report.add({ path: ['accept', role, 'presented_by'], message: fault, code: 'ERR_PROFILE_OPTION' })
  }
  if (subject) checkSpeakers(subject, clients, report)
  const targets = targetsOf(accept, report)
  return subject && { grant: grant.type, clients, subjectTokenAuthenticates: authenticates, subject, actor, targets }
}

/** The schema knows the names of those that there are; the first is the one of a profile that names none. */
function grantNamed(name: string | undefined, { catalog: { grants } }: ProfileEnvironment): Grant {
  const [first] = grants
  const grant = name === undefined ? first : grants.find((candidate) => candidate.name === name)
  if (grant === undefined) throw new TypeError('a grant of the catalogue')
  return grant
}

/** Reports clients that say something by themselves and are no issuers of that name, and the reverse: nobody could ask. */
function checkSpeakers({ types, issuers }: TokenAcceptance, clients: readonly string[], report: Report): void {
  if (!types.some((type) => OF_THE_CLIENT.has(type))) return
  const path = ['accept', 'subject', 'issuers']
  const silent = clients.find((client) => !issuers.includes(client))
  const stranger = issuers.find((issuer) => !clients.includes(issuer))
  const message =
    silent === undefined
      ? stranger && `expected ids of clients of this profile: who signs by itself asks by itself; ${stranger} is none`
      : `expected ${silent} among them: a client says something as the issuer of its own name`
  if (message !== undefined) report.add({ path, message, code: 'ERR_PROFILE_OPTION', atName: true })
}

/** A resource server that presents what it was sent has to be one: named in the token, and known to us. */
function presenterFault({ presentedBy, audience }: TokenAcceptance, authenticates: boolean): string | undefined {
  if (presentedBy !== 'audience') return undefined
  if (authenticates) return 'expected `holder`: a token that stands for its client is presented by its holder'
  return audience.length > 0 ? undefined : 'expected `audience` beside it, naming who presents the token; not `any`'
}

function targetsOf({ targets }: AcceptDocument, report: Report): Targets {
  const { allow = [], default: fallback = [], resources, danger_any_target: open } = targets
  const allowed = new Map<string, string>()
  for (const [index, target] of allow.entries()) {
    const [request, audience] = typeof target === 'string' ? [target, target] : [target.request, target.audience]
    if (allowed.has(request)) {
      const message = 'may be asked for by another entry already'
      report.add({ path: ['accept', 'targets', 'allow', index], message, code: 'ERR_PROFILE_OPTION' })
    }
    allowed.set(request, audience)
  }
  if (allowed.size === 0 && fallback.length === 0 && open !== true) {
    const message = 'expected `allow` or `default`: what `resources` name is behind a target'
    report.add({ path: ['accept', 'targets', 'resources'], message, code: 'ERR_PROFILE_OPTION', atName: true })
  }
  return { allowed, fallback, ...(resources && { resources: new Set(resources) }), open: open === true }
}
