import { randomInt } from 'node:crypto'
import process from 'node:process'

/** Seconds for all parsers together. CI gives a minute; `FUZZ_SECONDS=3600` is for a night. */
export const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 3)
/** Printed when something is found; with `FUZZ_SEED` the same inputs come again. */
export const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))

/** A number from 0 to below. */
export type Random = (below: number) => number

/** A small generator with a seed (mulberry32): the same inputs again, on any machine. */
export function generator(seed: number): Random {
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

const PIECES = [
  'é',
  '\u2028',
  '"',
  '\\u0000',
  '\\ud800',
  '{"a":',
  '[[',
  '\r\n',
  '%',
  '..',
  '😀',
  '__proto__',
  '1e400',
  ' ',
]

/**
 * One to eight of: a bit turned, a byte set, a piece cut, doubled, moved or put in, a length changed, a new end, the rest
 * of another seed. Now and then all random.
 */
export function mutate(seed: Buffer, others: readonly Buffer[], random: Random): Buffer {
  if (random(20) === 0) return Buffer.from(Array.from({ length: random(200) }, () => random(256)))
  let bytes: Buffer = Buffer.from(seed)
  for (let left = 1 + random(8); left > 0; left -= 1) bytes = step(bytes, others, random)
  return bytes
}

function step(bytes: Buffer, others: readonly Buffer[], random: Random): Buffer {
  const at = random(bytes.length)
  const length = 1 + random(Math.min(32, bytes.length))
  const [before, piece, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)]
  switch (random(9)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
      return bytes
    case 1:
      bytes[at] = INTERESTING[random(INTERESTING.length)] ?? 0
      return bytes
    case 2:
      return Buffer.concat([before, after])
    case 3:
      return Buffer.concat([before, ...Array.from({ length: 1 + random(8) }, () => piece), piece, after])
    case 4:
      return before
    case 5: {
      const to = random(bytes.length)
      return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)])
    }
    case 6: {
      // Lengths of DER, CBOR and Protocol Buffers are near: one more, one less, or far off.
      bytes[at] = ((bytes[at] ?? 0) + ([1, 255, 64, 128][random(4)] ?? 1)) & 0xff
      return bytes
    }
    case 7: {
      const other = others[random(others.length)] ?? bytes
      return Buffer.concat([before, other.subarray(random(other.length))])
    }
    default:
      return Buffer.concat([before, Buffer.from(PIECES[random(PIECES.length)] ?? ''), bytes.subarray(at)])
  }
}
