import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import { auditToMemory } from '../../audit/index.ts'
import { createGateway, type Gateway } from '../../compose.ts'
import type { Tenant } from '../../config/tenant.ts'
import type { AuditRecord } from '../../core/audit.ts'
import { DragomanError, type ErrorCode, errors } from '../../core/errors.ts'
import type { Services, TokenRequest } from '../../core/exchange.ts'
import type { Grant } from '../../core/grant.ts'
import { explainCode } from '../../explain/code.ts'
import { explainRecord } from '../../explain/record.ts'
import { explainRequest, explainUnread } from '../../explain/request.ts'
import { explanationText } from '../../explain/text.ts'
import type { Explanation } from '../../explain/types.ts'
import { parseForm } from '../../gateway/form.ts'
import { rehearsedRequest } from '../../gateway/rehearsed.ts'
import { hint } from '../../profiles/nearest.ts'
import { provedKey, secondsOf } from '../given.ts'
import { type Command, EXTENSION, exit, type Io, UsageError } from '../io.ts'
import { showLedger } from '../show.ts'
import { formOf, notesOnType } from './asked.ts'
import { recordIn } from './audit-line.ts'
import { asProxy, toldToProxy } from './proxied.ts'

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  client: { type: 'string' },
  request: { type: 'string' },
  'subject-token': { type: 'string' },
  'subject-token-type': { type: 'string' },
  'actor-token': { type: 'string' },
  'actor-token-type': { type: 'string' },
  'requested-token-type': { type: 'string' },
  audience: { type: 'string', multiple: true },
  resource: { type: 'string', multiple: true },
  scope: { type: 'string' },
  grant: { type: 'string' },
  details: { type: 'string' },
  context: { type: 'string' },
  csr: { type: 'string' },
  dpop: { type: 'string' },
  certificate: { type: 'string' },
  key: { type: 'string' },
  tenant: { type: 'string' },
  at: { type: 'string' },
  'request-id': { type: 'string' },
  code: { type: 'string' },
  audit: { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
} as const

/** `dragoman explain`: what an exchange would come to, or came to, and why; issues nothing, spends nothing. */
export const explainCommand: Command = {
  name: 'explain',
  summary: 'tells why a request is refused, where the rule stands and what would make it pass; issues nothing',
  usage: '--config FILE --client ID [request] < token | --request-id ID --audit FILE | --code CODE',
  example: 'dragoman explain --config dragoman.yaml --client demo --audience https://orders.example < subject.jwt',
  options: [
    ['--config FILE', 'the configuration'],
    ['--client ID', 'the client that asks, taken as given (default: by the credentials of --request)'],
    ['--request FILE', 'the request as a form or as JSON with the same names; - is standard input'],
    ['--subject-token FILE', 'the subject token; - is standard input (default, without --request)'],
    ['--subject-token-type URI', 'its type (default: jwt, cwt or x509, by its form)'],
    ['--actor-token FILE', 'the actor token, with --actor-token-type where it is no JWT'],
    ['--requested-token-type URI', 'the type asked for'],
    ['--audience VALUE', 'a target; may be repeated'],
    ['--resource URI', 'a target as a URI; may be repeated'],
    ['--scope SCOPE', 'the scope asked for'],
    ['--grant NAME', 'the grant asked by: token-exchange or jwt-bearer (default: that of the record, or of --request)'],
    ['--details JSON', '`request_details`, of a transaction'],
    ['--context JSON', '`request_context`, of a transaction'],
    ['--csr FILE', 'a certification request (PEM)'],
    ['--dpop FILE', 'a DPoP proof, as it was sent'],
    ['--certificate FILE', 'certificates (PEM) as shown in the TLS handshake'],
    ['--key FILE', 'a key (PEM, public or private) whose possession is taken as proved'],
    ['--tenant NAME', 'the tenant, where there are several'],
    ['--at SECONDS', 'the time to judge by, in seconds since 1970 (default: now, or that of the record)'],
    ['--request-id ID', 'an exchange that has taken place: the id in the X-Request-Id of its answer'],
    ['--audit FILE', 'where its audit record is; may be repeated'],
    ['--code CODE', 'a reason code by itself, such as a metric has it'],
    EXTENSION,
    ['--json', 'prints one JSON object; see docs/schema/explanation.json'],
  ],
  async run(args, io, more) {
    const { values } = parseArgs({ args: joined(args), options: OPTIONS })
    if (values.config === undefined) throw new UsageError('--config is required')
    const record = await recordOf(values)
    const at = values.at === undefined ? record && Date.parse(record.time) / 1000 : secondsOf(values.at)
    const gateway = await createGateway(values.config, {
      ...more,
      audit: auditToMemory,
      ...(at !== undefined && { clock: () => at }),
    })
    try {
      const tenant = tenantOf(gateway, values.tenant ?? record?.tenant)
      const explanation = toldToProxy(await explanationOf(values, record, tenant, io), record)
      io.out(values.json ? `${JSON.stringify(explanation)}\n` : explanationText(explanation, ledgerOf(explanation)))
      return values.code === undefined ? exitCode(explanation) : exit.done
    } finally {
      await gateway.http.close()
    }
  },
}

async function explanationOf(
  values: Values,
  record: AuditRecord | undefined,
  tenant: Tenant,
  io: Io,
): Promise<Explanation> {
  const { services, places: configuration } = tenant
  if (values.code !== undefined) return explainCode(codeNamed(values.code), services, { configuration })
  if (record !== undefined && !hasTokens(values)) return explainRecord(record, services, { configuration })
  return explained(values, record, tenant, io)
}

/** One in sixty-four request ids begins with a hyphen, and would be taken for an option. */
function joined(args: readonly string[]): string[] {
  const at = args.indexOf('--request-id')
  const id = args[at + 1]
  if (at === -1 || id === undefined || !/^-[\w-]{21}$/.test(id)) return [...args]
  return [...args.slice(0, at), `--request-id=${id}`, ...args.slice(at + 2)]
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

async function recordOf({ 'request-id': id, audit = [] }: Values): Promise<AuditRecord | undefined> {
  if (id === undefined) {
    if (audit.length > 0) throw new UsageError('--audit goes with --request-id')
    return undefined
  }
  if (audit.length === 0)
    throw new UsageError('--request-id goes with --audit: the file, or files, with the audit records')
  for (const file of audit) {
    const record = await recordIn(file, id)
    if (record !== undefined) return record
  }
  throw new UsageError(`no record has the id ${JSON.stringify(id)} in ${audit.join(', ')}`)
}

const hasTokens = (values: Values): boolean => values.request !== undefined || values['subject-token'] !== undefined

async function explained(
  values: Values,
  record: AuditRecord | undefined,
  { services, limits, places, forwardAuth }: Tenant,
  io: Io,
): Promise<Explanation> {
  const { form, notes, ...proxy } = asProxy(
    await formOf(values, io, grantOf(values, record, services.grants)),
    record,
    forwardAuth,
    services.profiles,
  )
  const key = values.key === undefined ? [] : [provedKey(values.key)]
  const held = { ...services, proofMethods: [...key, ...services.proofMethods] }
  const client = values.client ?? clientOf(record) ?? proxy.client
  const options = {
    configuration: places,
    client,
    notes: [...notesOnType(values, form), ...notesOn(record, form), ...notes],
  }
  let request: TokenRequest
  try {
    request = rehearsedRequest(parseForm(Buffer.from(form.toString()), limits), 'explain', services.grants)
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    return explainUnread(error, services, options)
  }
  const explanation = await explainRequest(request, held, options)
  return record === undefined ? explanation : { ...explanation, request_id: record.id }
}

/** @throws {@link UsageError} for a code that there is not, with the nearest */
function codeNamed(text: string): ErrorCode {
  if (Object.hasOwn(errors, text)) return text as ErrorCode
  throw new UsageError(`${text} is no reason code; ${hint(text, Object.keys(errors), 'there are')}`)
}

/** Whom a record names; where the subject token stood for the client, the record has a digest at most. */
const clientOf = (record: AuditRecord | undefined): string | undefined =>
  record?.client_method === 'subject_token' ? undefined : record?.client

/** The grant that is named, or that the record has; `undefined`: as the request says. @throws {@link UsageError} */
function grantOf(
  { grant: asked }: Values,
  record: AuditRecord | undefined,
  grants: Services['grants'],
): Grant | undefined {
  const name = asked ?? record?.grant
  const found = grants.find((grant) => grant.name === name)
  if (asked === undefined || found !== undefined) return found
  throw new UsageError(`--grant is to be one of ${grants.map((grant) => grant.name).join(', ')}`)
}

function notesOn(record: AuditRecord | undefined, form: URLSearchParams): readonly string[] {
  if (record === undefined) return []
  const digest = createHash('sha256')
    .update(form.get('subject_token') ?? form.get('assertion') ?? '')
    .digest('hex')
  const came = record.code ?? record.result
  return [
    `the exchange came to: ${came}`,
    ...(record.input_sha256 === undefined || record.input_sha256 === digest
      ? []
      : ['the subject token is another than that of the exchange (input_sha256 differs)']),
  ]
}

function tenantOf({ tenants }: Gateway, name: string | undefined): Tenant {
  const [only, another] = tenants
  const found = name === undefined && another === undefined ? only : tenants.find((tenant) => tenant.name === name)
  if (found !== undefined) return found
  throw new UsageError(`--tenant is to be one of ${tenants.map((tenant) => tenant.name).join(', ')}`)
}

const ledgerOf = ({ result, ledger }: Explanation): readonly string[] =>
  ledger === undefined || result === 'refused' ? [] : showLedger(ledger)

function exitCode({ refusal }: Explanation): number {
  if (refusal === undefined) return exit.done
  return refusal.code.endsWith('_UNAVAILABLE') ? exit.outside : exit.refused
}
