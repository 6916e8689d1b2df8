import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DragomanError } from '../core/errors.ts'
import type { VerificationKey } from '../core/keys.ts'
import { createTrust, type Fetch, type IssuerEntry } from '../trust/index.ts'
import { type Certificate, parseCertificate } from '../wire/certificate.ts'

/** How an issuer stands, asked just now. */
export interface IssuerLook {
  readonly issuer: string
  /** Where its keys come from: the option of the configuration, and its value where that is short. */
  readonly source: string
  readonly subjects: readonly string[]
  readonly keys: readonly VerificationKey[]
  readonly certificates: readonly Certificate[]
  /** Seconds since the epoch; absent: nothing is fetched. */
  readonly fetchedAt?: number | undefined
  readonly nextRefresh?: number | undefined
  /** Why there are no keys, in words of ours. */
  readonly error?: string | undefined
  /** It could not be asked, rather than being configured wrong. */
  readonly outside: boolean
  /** Seconds by which its server's clock is ahead of ours. */
  readonly ahead?: number | undefined
}

/** What looking at issuers takes of its surroundings. */
export interface LookTools {
  /** The configuration's file, which names of files are relative to. */
  readonly file: string
  readonly fetch: Fetch
  /** Seconds since the epoch. */
  readonly clock: () => number
}

/** Fetches the keys of one issuer as the gateway would, and tells how it stands. Rejects for nothing that is its fault. */
export async function lookAt(entry: IssuerEntry, tools: LookTools): Promise<IssuerLook> {
  const plain = { issuer: entry.issuer, source: sourceOf(entry), subjects: entry.subjects }
  const nothing = { ...plain, keys: [], certificates: [] }
  let ahead: number | undefined
  const folder = dirname(resolve(tools.file))
  const fetch: Fetch = async (url, options) => {
    const answer = await tools.fetch(url, options)
    if (answer.date !== undefined) ahead = answer.date - tools.clock()
    return answer
  }
  try {
    const readFile = (name: string) => readFileSync(resolve(folder, name))
    const trust = createTrust([entry], { fetch, clock: tools.clock, readFile })
    const { anchor } = trust.find(entry.issuer) ?? {}
    const now = Math.floor(tools.clock())
    const failure = await outcome(() => anchor?.keys({}, now))
    const { anchors = [] } = (await anchor?.authorities(now)) ?? {}
    const [status] = trust.status()
    return {
      ...plain,
      keys: status?.published ?? [],
      certificates: anchors.map(parseCertificate),
      fetchedAt: status?.fetchedAt,
      nextRefresh: status?.nextRefresh,
      error: status?.lastError ?? (failure === undefined ? undefined : wordsOf(failure)),
      outside: failure !== undefined || status?.lastError !== undefined,
      ahead,
    }
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    return { ...nothing, error: wordsOf(error), outside: false }
  }
}

async function outcome(work: () => unknown): Promise<DragomanError | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (error instanceof DragomanError) return error
    throw error
  }
}

function wordsOf({ code, detail }: DragomanError): string {
  const { file, expected, reason } = detail
  const words = typeof expected === 'string' ? `expected ${expected}` : typeof reason === 'string' ? reason : code
  return typeof file === 'string' ? `${file}: ${words}` : words
}

const SOURCES = [
  ...(['jwks_uri', 'discovery', 'jwks_file', 'cose_keys_file', 'spiffe_bundle_file', 'jwks'] as const),
  ...(['certificates_file', 'certificates'] as const),
]

function sourceOf(entry: IssuerEntry): string {
  if (entry.unsigned === true) return 'believed without a signature'
  return SOURCES.flatMap((name) => {
    const value = entry[name]
    if (value === undefined) return []
    return typeof value === 'string' && name !== 'certificates' ? [`${name} ${value}`] : [name]
  }).join(', ')
}
