import { randomInt } from 'node:crypto'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROTOBUF_TOKEN } from '../../docs/examples/protobuf.ts'
import { algorithms } from '../../src/core/algorithms.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { compileExpression } from '../../src/expressions/cel.ts'
import { parseForm } from '../../src/gateway/form.ts'
import { readSource } from '../../src/profiles/source.ts'
import { decodeCbor } from '../../src/wire/cbor.ts'
import { parseCertificate } from '../../src/wire/certificate.ts'
import { parseCose } from '../../src/wire/cose.ts'
import { verificationKeysFromCoseKeySet } from '../../src/wire/cose-key-set.ts'
import { parseCsr } from '../../src/wire/csr.ts'
import { parseJson } from '../../src/wire/json.ts'
import { publicKeyFromJwk } from '../../src/wire/jwk.ts'
import { parsePem } from '../../src/wire/pem.ts'
import { formats, type Matrix, newMatrix } from '../support/matrix.ts'
import { newWorld, said, type World } from '../support/world.ts'

/** Seconds for all parsers together. CI gives a minute; `FUZZ_SECONDS=3600` is for a night. */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 3)
/** Printed when something is found; with `FUZZ_SEED` the same inputs come again. */
const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
// An input that takes longer than this is an attack. Generous, since the machine has other work.
const MAX_MILLISECONDS = 2000

let world: World
let matrix: Matrix
let targets: readonly Target[]

interface Target {
  readonly name: string
  readonly seeds: readonly Buffer[]
  parse(input: Buffer): unknown
}

beforeAll(async () => {
  world = await newWorld()
  matrix = await newMatrix()
  targets = await allTargets()
})
afterAll(async () => {
  await world.close()
  await matrix.close()
})

async function allTargets(): Promise<readonly Target[]> {
  const jwt = await world.token('jwt')
  const cwt = await world.token('cwt')
  const certificate = world.file('client.pem')
  const csr = world.file('client.csr')
  const der = (pem: string) => Buffer.from(parsePem(pem)[0]?.der ?? [])
  const codec = (format: string, type: string) => (input: Buffer) =>
    formats.find((one) => one.format === format)?.parse({ raw: input.toString('latin1'), type, role: 'subject' })
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const flattened = JSON.stringify({ payload, protected: header, signature })
  const keySet = (await world.gateway.http.inject({ url: '/cose-keys' })).rawPayload
  const jwk = JSON.stringify(world.alpha.signers.jwt.publicKey.jwk)
  const of = (text: string) => Buffer.from(text, 'latin1')
  return [
    { name: 'JWT', seeds: [of(jwt), of(flattened)], parse: codec('jwt', tokenTypes.jwt) },
    { name: 'CWT', seeds: [of(cwt)], parse: codec('cwt', tokenTypes.cwt) },
    { name: 'X.509 PEM', seeds: [of(certificate)], parse: codec('x509', tokenTypes.x509) },
    {
      name: 'X.509 JSON',
      seeds: [of(JSON.stringify([der(certificate).toString('base64')]))],
      parse: codec('x509', tokenTypes.mtls),
    },
    { name: 'protobuf', seeds: [of(await matrix.mint('protobuf', said))], parse: codec('protobuf', PROTOBUF_TOKEN) },
    { name: 'JSON', seeds: [Buffer.from(payload, 'base64url')], parse: (input) => parseJson(input) },
    { name: 'CBOR', seeds: [Buffer.from(cwt, 'base64url')], parse: (input) => decodeCbor(input, { tags: [18, 61] }) },
    { name: 'COSE', seeds: [Buffer.from(cwt, 'base64url')], parse: (input) => parseCose(input) },
    { name: 'certificate', seeds: [der(certificate)], parse: (input) => parseCertificate(input).publicKey },
    { name: 'request', seeds: [der(csr)], parse: parseCsr },
    { name: 'PEM', seeds: [of(certificate), of(csr)], parse: (input) => parsePem(input.toString('latin1')) },
    { name: 'JWK', seeds: [of(jwk)], parse: (input) => publicKeyFromJwk(parseJson(input)) },
    { name: 'COSE key set', seeds: [keySet], parse: (input) => verificationKeysFromCoseKeySet(input, algorithms) },
    {
      name: 'form',
      seeds: [of(`grant_type=a&subject_token=${jwt}&audience=%C3%A4&audience=b+c`)],
      parse: (input) => parseForm(input),
    },
    {
      name: 'profile',
      seeds: [of('name: a\naccept: { clients: [b] }\nstages:\n  - format: { to: jwt }\n')],
      parse: (input) => readSource({ file: 'f', text: input.toString('utf8') }),
    },
    {
      name: 'CEL',
      seeds: [of('has(subject.email) && subject.email.matches("^[a-z]+@x$") ? 1 : now + 60')],
      parse: (input) => compileExpression(input.toString('utf8')),
    },
  ]
}

describe('whatever is read', () => {
  it(
    `a parser gives a value or a reason, in bounded time (${SECONDS} seconds)`,
    () => {
      const random = generator(SEED)
      const until = performance.now() + SECONDS * 1000
      const counts = new Map<string, number>()
      let refused = 0
      while (performance.now() < until) {
        for (const { name, seeds, parse } of targets) {
          const input = mutate(seeds[random(seeds.length)] ?? Buffer.alloc(0), random)
          const started = performance.now()
          try {
            parse(input)
          } catch (error) {
            if (!(error instanceof DragomanError)) {
              throw new Error(`${name} threw ${String(error)} for ${input.toString('base64')} (FUZZ_SEED=${SEED})`, {
                cause: error,
              })
            }
            refused += 1
          }
          const took = performance.now() - started
          expect(took, `${name} for ${input.toString('base64')} (FUZZ_SEED=${SEED})`).toBeLessThan(MAX_MILLISECONDS)
          counts.set(name, (counts.get(name) ?? 0) + 1)
        }
      }
      // Each parser had its share, and most of what it got was broken.
      expect(counts.size).toBe(targets.length)
      expect(refused).toBeGreaterThan(targets.length)
    },
    SECONDS * 1000 + 60_000,
  )

  it('takes the seeds as they are, so that what is broken is broken from something good', () => {
    for (const { name, seeds, parse } of targets)
      for (const seed of seeds) expect(() => parse(seed), name).not.toThrow()
  })
})

type Random = (below: number) => number

/** A small generator with a seed (mulberry32): the same inputs again, on any machine. */
function generator(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, below)
  }
}

const INTERESTING = [
  0x00, 0x01, 0x1f, 0x22, 0x2e, 0x30, 0x3d, 0x5f, 0x7f, 0x80, 0x81, 0x9f, 0xbf, 0xc0, 0xd8, 0xed, 0xf7, 0xfb, 0xff,
]

/** One to eight of: a bit turned, a byte set, a piece cut, doubled, moved or put in, a new end. Now and then all random. */
function mutate(seed: Buffer, random: Random): Buffer {
  if (random(20) === 0) return Buffer.from(Array.from({ length: random(200) }, () => random(256)))
  let bytes: Buffer = Buffer.from(seed)
  for (let left = 1 + random(8); left > 0; left -= 1) {
    const at = random(bytes.length)
    const length = 1 + random(Math.min(32, bytes.length))
    const piece = bytes.subarray(at, at + length)
    switch (random(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
        break
      case 1:
        bytes[at] = INTERESTING[random(INTERESTING.length)] ?? 0
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)])
        break
      case 4:
        bytes = bytes.subarray(0, at)
        break
      case 5: {
        const to = random(bytes.length)
        bytes = Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)])
        break
      }
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(['é', '\u2028', '"', '\\u0000', '{"a":', '[[', '\r\n', '%', '..', '😀'][random(10)] ?? ''),
          bytes.subarray(at),
        ])
    }
  }
  return bytes
}
