import { createPublicKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { algorithmNamed, algorithmNames } from '../core/algorithms.ts'
import type { Extension } from '../core/catalog.ts'
import type { Signer } from '../core/keys.ts'
import { createKeyStore, generatePrivateKey, type KeyEntry, keyOptions } from '../keys/index.ts'
import { parseCertificate } from '../wire/certificate.ts'
import { publicKey } from '../wire/jwk.ts'
import { type Command, configurationIn, EXTENSION, exit, type Io, UsageError } from './io.ts'
import { instant } from './time.ts'

/** `dragoman keys`: the signing keys of a configuration, without anything private; or a new one. */
export const keysCommand: Command = {
  name: 'keys',
  summary: 'lists the signing keys of a configuration, or makes a new one',
  usage: 'list --config FILE [--json] | new --algorithm NAME FILE',
  example: 'dragoman keys new --algorithm ES256 keys/signing.pem',
  words: ['list', 'new'],
  options: [
    ['list', 'name, algorithm, key id, thumbprint, end of the certificate; nothing private'],
    ['new', 'writes a private key (PKCS#8 in PEM) that only its owner can read, to a file that is not there yet'],
    ['--config FILE', 'list: the configuration'],
    EXTENSION,
    ['--json', 'list: prints one JSON object'],
    ['--algorithm NAME', `new: one of ${algorithmNames.join(', ')}`],
  ],
  async run(args, io, extension) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c' },
        json: { type: 'boolean', default: false },
        algorithm: { type: 'string', short: 'a' },
      },
    })
    const [what, file, more] = positionals
    if (what === 'list' && file === undefined) {
      if (values.config === undefined) throw new UsageError('--config is required')
      return listKeys(values.config, values.json, io, extension)
    }
    if (what !== 'new' || more !== undefined) throw new UsageError('`list`, or `new` with one file, is required')
    if (file === undefined) throw new UsageError('the file to write is required')
    return newKey(values.algorithm, file, io)
  },
}

/** One key, for a person or as JSON. */
interface Shown {
  readonly tenant: string
  readonly name: string
  readonly algorithm: string
  /** Absent: it is made anew at each start. */
  readonly kid?: string
  readonly thumbprint?: string
  /** Seconds since the epoch. */
  readonly certificate_expires?: number
}

async function listKeys(config: string, json: boolean, io: Io, more: Extension): Promise<number> {
  const { tenants, file } = configurationIn(config, more)
  const folder = dirname(resolve(file))
  const readFile = (name: string) => readFileSync(resolve(folder, name), 'utf8')
  const keys: Shown[] = []
  for (const { name: tenant, keys: entries } of tenants) {
    // A key that is made at start is another one each time: there is nothing to be told of it.
    const kept = entries.filter(({ generate }) => generate !== true)
    const store = await createKeyStore(kept.map(keyOptions), { readFile, now: Math.floor(Date.now() / 1000) })
    keys.push(...entries.map((entry) => shown(tenant, entry, store.signer(entry.name))))
  }
  if (json) io.out(`${JSON.stringify({ keys })}\n`)
  else for (const key of keys) io.out(`${describe(key, tenants.length > 1, Date.now() / 1000)}\n`)
  return exit.done
}

function shown(tenant: string, { name, algorithm }: KeyEntry, signer: Signer | undefined): Shown {
  if (signer === undefined) return { tenant, name, algorithm }
  const [certificate] = signer.chain
  return {
    ...{ tenant, name, algorithm, kid: signer.kid, thumbprint: signer.publicKey.jkt },
    ...(certificate && { certificate_expires: parseCertificate(certificate).notAfter }),
  }
}

function describe(key: Shown, several: boolean, now: number): string {
  const { tenant, name, algorithm, kid, thumbprint, certificate_expires: end } = key
  const line = (member: string, value: string) => `  ${member.padEnd(12)} ${value}`
  return [
    several ? `${name} (tenant ${tenant})` : name,
    line('algorithm', algorithm),
    ...(kid === undefined ? [line('kid', 'another with each start')] : [line('kid', kid)]),
    ...(thumbprint === undefined ? [] : [line('thumbprint', thumbprint)]),
    ...(end === undefined ? [] : [line('certificate', `until ${instant(end, now)}`)]),
    '',
  ].join('\n')
}

function newKey(name: string | undefined, file: string, io: Io): number {
  const algorithm = algorithmNamed(name ?? '')
  if (algorithm === undefined) throw new UsageError(`--algorithm takes one of ${algorithmNames.join(', ')}`)
  const key = generatePrivateKey(algorithm)
  try {
    // Not written over: tokens of a key that is gone cannot be verified again.
    writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    io.error(`dragoman keys: ${file} is there already, and is not written over; name another file\n`)
    return exit.refused
  }
  io.out(`${algorithm.name}, thumbprint ${publicKey(createPublicKey(key)).jkt}\n`)
  return exit.done
}
