import { expect, it } from 'vitest'
import { pooledRandom } from '../src/random.ts'

it('gives as many bytes as asked for, and none twice', () => {
  const random = pooledRandom()
  const seen = new Set<string>()
  for (let round = 0; round < 2000; round += 1) seen.add(Buffer.from(random(16)).toString('hex'))
  expect(seen.size).toBe(2000)
  for (const bytes of [0, 1, 32, 511, 512, 513, 4096, 10_000]) expect(random(bytes)).toHaveLength(bytes)
})

it('gives bytes that do not change afterwards', () => {
  const random = pooledRandom()
  const first = random(16)
  const copy = Uint8Array.from(first)
  for (let round = 0; round < 600; round += 1) random(16)
  expect(Uint8Array.from(first)).toEqual(copy)
})
