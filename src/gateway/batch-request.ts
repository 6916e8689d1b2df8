import { DragomanError } from '../core/errors.ts'
import type { TokenRequest } from '../core/exchange.ts'
import { TOKEN_EXCHANGE } from '../core/types.ts'
import { isList, isMap, type Value, type ValueMap } from '../core/value.ts'
import { type JsonLimits, parseJsonObject } from '../wire/json.ts'
import type { Form, FormLimits } from './form.ts'
import type { RequestFacts } from './request.ts'

export interface BatchLimits {
  /** Exchanges of one batch. */
  readonly items: number
  /** Bytes of the whole body. */
  readonly bytes: number
}

/** A batch, read: nothing in it is believed, and what its items ask for is not looked at. */
export interface Batch {
  /** The parameters that stand for every item, credentials among them. */
  readonly shared: ReadonlyMap<string, string>
  readonly items: readonly BatchItem[]
}

export interface BatchItem {
  readonly id: string
  /** Its parameters and the shared ones, as the form that it would be. @throws {@link DragomanError} `ERR_REQUEST_*` */
  form(): Form
}

// The batch, its list, an item, and in it a list of targets, or an object that stands for its JSON text.
const MAX_DEPTH = 12
// Values of one item: parameters, targets, and what an object that stands for its text may hold.
const VALUES_PER_ITEM = 256
const MAX_ID = 128

/** Who asks is the same for all: an item that says otherwise is a mistake, or an attempt. */
const OF_THE_BATCH: readonly string[] = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'items',
]

/**
 * Reads a batch: a JSON object with the parameters of the token endpoint (RFC 8693 §2.1), and in `items` objects with an
 * `id` and the parameters that are an item's own, each in place of the shared one. Lists are for `audience` and `resource`;
 * an object stands for its JSON text.
 *
 * Refuses what would leave open which answer belongs to what: anything but such an object, too many items or none, ids that
 * are missing or stand twice, credentials in an item. What else is wrong with an item is the item's alone.
 *
 * @throws {@link DragomanError} `ERR_REQUEST_BATCH`, `ERR_REQUEST_TOO_LARGE`, `ERR_REQUEST_GRANT`
 */
export function readBatch(body: Uint8Array, batch: BatchLimits, limits: FormLimits): Batch {
  const { items, ...rest } = documentIn(body, batch, limits)
  if (!isList(items) || items.length === 0 || items.length > batch.items) {
    throw wrong('items', `a list of 1 to ${batch.items} items`)
  }
  const common = membersOf(rest)
  const shared = new Map(Object.entries(rest).flatMap(([name, value]) => textMember(name, value)))
  if ((shared.get('grant_type') ?? TOKEN_EXCHANGE) !== TOKEN_EXCHANGE) {
    throw new DragomanError('ERR_REQUEST_GRANT', { detail: { expected: TOKEN_EXCHANGE } })
  }
  const ids = new Set<string>()
  return {
    shared,
    items: items.map((item, index) => {
      const at = `items[${index}]`
      if (!isMap(item)) throw wrong(at, 'an object')
      const { id, ...own } = item
      if (typeof id !== 'string' || id === '' || id.length > MAX_ID || ids.has(id)) {
        throw wrong(`${at}.id`, `text of 1 to ${MAX_ID} characters, another one in each item`)
      }
      ids.add(id)
      const foreign = OF_THE_BATCH.find((name) => own[name] !== undefined)
      if (foreign !== undefined) throw wrong(`${at}.${foreign}`, 'it beside `items`: it is the same for all')
      return { id, form: () => formOf({ ...common, ...own }, limits) }
    }),
  }
}

/** The request of the whole: who asks, and no token. */
export const batchCredentials = (shared: Batch['shared'], facts: RequestFacts): TokenRequest => ({
  id: facts.id,
  grant_type: TOKEN_EXCHANGE,
  subject_token: '',
  subject_token_type: '',
  actor_token: undefined,
  actor_token_type: undefined,
  requested_token_type: undefined,
  audience: [],
  resource: [],
  scope: undefined,
  csr: undefined,
  client_id: shared.get('client_id'),
  client_secret: shared.get('client_secret'),
  client_assertion: shared.get('client_assertion'),
  client_assertion_type: shared.get('client_assertion_type'),
  authorization: facts.authorization,
  dpop: facts.dpop,
  certificates: facts.chain?.certificates,
})

function documentIn(body: Uint8Array, { bytes, items }: BatchLimits, { parameterBytes }: FormLimits): ValueMap {
  if (body.length > bytes) {
    throw new DragomanError('ERR_REQUEST_TOO_LARGE', { detail: { expected: `at most ${bytes} bytes` } })
  }
  const limits: JsonLimits = { bytes, depth: MAX_DEPTH, items: VALUES_PER_ITEM * (items + 1), text: parameterBytes }
  try {
    return parseJsonObject(body, limits)
  } catch (cause) {
    const expected = cause instanceof DragomanError ? cause.detail['expected'] : undefined
    throw new DragomanError('ERR_REQUEST_BATCH', { cause, detail: { expected: expected ?? 'a JSON object' } })
  }
}

const wrong = (path: string, expected: string) => new DragomanError('ERR_REQUEST_BATCH', { detail: { path, expected } })

/** Without those that are no parameter of an item. */
function membersOf(rest: ValueMap): ValueMap {
  return Object.fromEntries(Object.entries(rest).filter(([name]) => !OF_THE_BATCH.includes(name)))
}

const LISTS: readonly string[] = ['audience', 'resource']

function formOf(members: ValueMap, { parameters }: FormLimits): Form {
  const names = Object.keys(members)
  if (names.length > parameters) throw malformed(`at most ${parameters} parameters`)
  return {
    values: new Map([
      ['grant_type', TOKEN_EXCHANGE],
      ...names.filter((name) => !LISTS.includes(name)).flatMap((name) => textMember(name, members[name])),
    ]),
    audience: listMember('audience', members['audience']),
    resource: listMember('resource', members['resource']),
  }
}

/** As in a form, a parameter without a value is absent (RFC 6749 §3.2). */
function textMember(name: string, value: Value | undefined): readonly (readonly [string, string])[] {
  if (value === '' || LISTS.includes(name)) return []
  if (typeof value === 'string') return [[name, value]]
  if (isMap(value)) return [[name, JSON.stringify(value)]]
  throw malformed('text, or an object that stands for its JSON text', name)
}

function listMember(name: string, value: Value | undefined): readonly string[] {
  if (value === undefined) return []
  const list = isList(value) ? value : [value]
  return list.flatMap((one) => {
    if (typeof one !== 'string') throw malformed('text, or a list of texts', name)
    return one === '' ? [] : [one]
  })
}

// The name is the caller's text: only those that mean something here are repeated in a log.
const malformed = (expected: string, name?: string) =>
  new DragomanError('ERR_REQUEST_FORM', {
    detail: { expected, ...(name && { parameter: /^[a-z_]{1,32}$/.test(name) ? name : 'unknown' }) },
  })
