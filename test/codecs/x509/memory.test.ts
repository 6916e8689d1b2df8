import { expect, test } from 'vitest'
import { newMemory } from '../../../src/codecs/x509/memory.ts'
import { parseCertificate } from '../../../src/wire/certificate.ts'
import { authority, leaf } from '../../support/x509.ts'

const root = authority('Root')
const read = (bytes: Uint8Array) => parseCertificate(bytes)

test('configured certificates are read once, also in a list that is made anew', () => {
  const memory = newMemory()
  const list = [root.certificate]
  const first = memory.configured(list)
  expect(memory.configured(list)).toBe(first)
  expect(memory.configured([root.certificate])[0]).toBe(first[0])
  expect(() => memory.configured([Buffer.from('x')])).toThrow(expect.objectContaining({ code: 'ERR_TRUST_CONFIG' }))
})

test('a presented certificate is the one that was kept, octet for octet', () => {
  const memory = newMemory()
  const kept = read(root.certificate)
  expect(memory.presented(root.certificate)).not.toBe(kept)
  memory.keep(kept)
  expect(memory.presented(Buffer.from(root.certificate))).toBe(kept)
  const other = Buffer.from(root.certificate)
  other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
  expect(memory.presented(other)).not.toBe(kept)
})

test('what is kept has a bound: the oldest goes', () => {
  const memory = newMemory()
  const key = leaf(root).key
  const certificates = Array.from({ length: 513 }, () => read(leaf(root, { key }).certificate))
  for (const certificate of certificates) memory.keep(certificate)
  const [oldest, second] = certificates
  if (!oldest || !second) return expect.unreachable()
  expect(memory.presented(oldest.der)).not.toBe(oldest)
  expect(memory.presented(second.der)).toBe(second)
})

test('a verified signature is known for that pair alone', () => {
  const memory = newMemory()
  const [one, two] = [read(root.certificate), read(root.certificate)]
  memory.add(one, two)
  expect(memory.has(one, two)).toBe(true)
  expect(memory.has(two, one)).toBe(false)
  expect(memory.has(one, one)).toBe(false)
})
