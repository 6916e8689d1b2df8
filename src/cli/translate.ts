import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { auditToMemory } from '../audit/index.ts'
import { createGateway } from '../compose.ts'
import type { AuditRecord } from '../core/audit.ts'
import { DragomanError } from '../core/errors.ts'
import type { Services, TokenRequest } from '../core/exchange.ts'
import type { Profile } from '../core/profile.ts'
import type { ValueMap } from '../core/value.ts'
import { exchangeToken } from '../exchange/exchange.ts'
import { asClient } from '../explain/given.ts'
import { parseJsonObject } from '../wire/json.ts'
import { provedKey, secondsOf } from './given.ts'
import { type Command, EXTENSION, exit, UsageError } from './io.ts'
import { showRecord } from './show.ts'

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  profile: { type: 'string', short: 'p' },
  client: { type: 'string' },
  type: { type: 'string' },
  audience: { type: 'string', multiple: true },
  scope: { type: 'string' },
  context: { type: 'string' },
  details: { type: 'string' },
  actor: { type: 'string' },
  csr: { type: 'string' },
  key: { type: 'string' },
  tenant: { type: 'string' },
  at: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

/** `dragoman translate`: one exchange offline, with everything that became of it. */
export const translateCommand: Command = {
  name: 'translate',
  summary: 'runs a profile on a token from standard input, without a server, and tells all that happened',
  usage: '--config FILE --profile NAME [options] < token',
  example: 'dragoman translate --config dragoman.yaml --profile jwt-to-cwt < subject.jwt',
  options: [
    ['--config FILE', 'the configuration'],
    ['--profile NAME', 'the profile to run'],
    ['--client ID', 'who asks (default: the first client that the profile names)'],
    ['--type URI', 'the type of the token (default: the first that the profile takes)'],
    ['--audience VALUE', 'a target; may be repeated (default: the first that the profile allows)'],
    ['--scope SCOPE', 'the scope asked for'],
    ['--context JSON', '`request_context`: what is told of the surroundings of the call'],
    ['--details JSON', '`request_details`: what is told of the call'],
    ['--actor FILE', 'an actor token'],
    ['--csr FILE', 'a certification request (PEM), for a profile that issues certificates'],
    ['--key FILE', 'a key (PEM, public or private) whose possession is taken as proved'],
    ['--tenant NAME', 'the tenant, where there are several'],
    ['--at SECONDS', 'the time to judge by, in seconds since 1970 (default: now)'],
    EXTENSION,
    ['--json', 'prints one JSON object: answer or error, and the audit record'],
  ],
  async run(args, io, more) {
    const { values } = parseArgs({ args: [...args], options: OPTIONS })
    if (values.config === undefined || values.profile === undefined) {
      throw new UsageError('--config and --profile are required')
    }
    const memory = auditToMemory()
    const at = values.at === undefined ? undefined : secondsOf(values.at)
    const gateway = await createGateway(values.config, {
      ...more,
      audit: () => memory,
      ...(at !== undefined && { clock: () => at }),
    })
    const tenant = gateway.tenants.find(({ name }) => values.tenant === undefined || name === values.tenant)
    const profile = tenant?.services.profiles.all.find(({ name }) => name === values.profile)
    if (tenant === undefined || profile === undefined) {
      const known = gateway.tenants.flatMap(({ services }) => services.profiles.all.map(({ name }) => name))
      throw new UsageError(`there is no profile ${values.profile}; there are ${known.join(', ')}`)
    }
    const token = (await io.input()).trim()
    if (token === '') throw new UsageError('a token is expected on standard input')
    const clients = profile.accepts.clients
    if (values.client !== undefined && !clients.includes(values.client)) {
      throw new UsageError(`the profile names no client ${values.client}; it names ${clients.join(', ')}`)
    }
    const services = offline(tenant.services, profile, values)
    try {
      const { ledger: _, ...answer } = await exchangeToken(requestOf(values, profile, token), services)
      const record = lastOf(memory.records)
      if (values.json) io.out(`${JSON.stringify({ answer, record })}\n`)
      else io.out(`${answer.access_token}\n`)
      if (!values.json) io.error(showRecord(record, { trace: true }))
      return exit.done
    } catch (error) {
      if (!(error instanceof DragomanError)) throw error
      const record = lastOf(memory.records)
      if (values.json) io.out(`${JSON.stringify({ error: error.code, record })}\n`)
      else io.error(showRecord(record, { trace: true }))
      return exit.refused
    } finally {
      await gateway.http.close()
    }
  },
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

function requestOf(values: Values, profile: Profile, token: string): TokenRequest {
  const { subject, actor, targets } = profile.accepts
  const [first] = targets.allowed.keys()
  const actorToken = values.actor === undefined ? undefined : readFileSync(values.actor, 'latin1').trim()
  return {
    id: 'offline',
    grant_type: profile.accepts.grant,
    subject_token: token,
    subject_token_type: values.type ?? typeOf(subject.types, token),
    actor_token: actorToken,
    // Whether the profile takes one is for the exchange to say.
    actor_token_type: actorToken === undefined ? undefined : typeOf((actor ?? subject).types, actorToken),
    requested_token_type: profile.writer.tokenType,
    audience: values.audience ?? (targets.fallback.length === 0 && first !== undefined ? [first] : []),
    resource: [],
    scope: values.scope?.split(' ').filter((scope) => scope !== ''),
    request_context: objectIn('context', values.context),
    request_details: objectIn('details', values.details),
    csr: values.csr === undefined ? undefined : readFileSync(values.csr, 'latin1'),
    client_id: undefined,
    client_secret: undefined,
    client_assertion: undefined,
    client_assertion_type: undefined,
    authorization: undefined,
    dpop: [],
    certificates: undefined,
  }
}

function objectIn(option: string, text: string | undefined): ValueMap | undefined {
  if (text === undefined) return undefined
  try {
    return parseJsonObject(text)
  } catch {
    throw new UsageError(`--${option} expects a JSON object`)
  }
}

/** The type that a token in this form can have, of those the profile takes: PEM is one of X.509 only. */
function typeOf(types: readonly string[], token: string): string {
  const pem = types.find((type) => type.endsWith(':x509'))
  return (token.startsWith('-----BEGIN') ? pem : undefined) ?? types[0] ?? ''
}

/**
 * The tenant's services for one exchange by whoever has the configuration in hand: the client is the one that was named,
 * or the first of the profile, and no other profile is looked at. Everything about the token is checked as ever.
 */
function offline(services: Services, profile: Profile, { client: named, key }: Values): Services {
  const client = named ?? profile.accepts.clients[0]
  const given = asClient(services, client ?? '')
  return {
    ...given,
    clientMethods: client === undefined ? [] : given.clientMethods,
    clients: {
      find(id) {
        const known = given.clients.find(id)
        return known && { ...known, dpopBound: false }
      },
    },
    profiles: { all: [profile], for: () => [profile], serving: () => [profile] },
    proofMethods: key === undefined ? services.proofMethods : [provedKey(key), ...services.proofMethods],
  }
}

function lastOf(records: readonly AuditRecord[]): AuditRecord {
  const record = records.at(-1)
  if (record === undefined) throw new TypeError('an exchange without a record')
  return record
}
