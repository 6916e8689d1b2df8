import { describe, expect, it } from 'vitest'
import { map } from '../../src/core/value.ts'
import { encoding } from '../../src/stages/encoding.ts'
import { draftOf, exchangeOf, settingOf } from '../support/exchange.ts'

const bytes = new Uint8Array([0, 1, 254, 255])

async function run(claims: Parameters<typeof encoding.prepare>[0]['claims'], value: string | Uint8Array) {
  const { transform } = encoding.prepare({ ...(claims && { claims }) }, settingOf())
  const draft = { ...draftOf(exchangeOf()), claims: map([['device', value]]) }
  return transform ? await transform(draft, exchangeOf()) : draft
}

describe('encodings of claim values', () => {
  it.each([
    ['AAH-_w', 'base64url', 'bytes', bytes],
    ['AAH+/w==', 'base64', 'hex', '0001feff'],
    ['0001feff', 'hex', 'base64url', 'AAH-_w'],
    [bytes, 'base64url', 'base64', 'AAH+/w=='],
  ] as const)('turns %s from %s into %s', async (value, from, to, expected) => {
    const draft = await run({ device: { from, to } }, value)
    expect(draft.claims['device']).toEqual(expected)
    expect(draft.notes).toContainEqual({ claim: 'device', became: 'converted' })
  })

  it.each(['AAH+/w==', 'AAH-_w=', 'AAH-_x', '0001FEFF', 'x'])(
    'refuses %s, which is not in canonical base64url',
    async (value) => {
      await expect(run({ device: { to: 'bytes' } }, value === '0001FEFF' ? 'AAH-_w ' : value)).rejects.toMatchObject({
        code: 'ERR_PROFILE_REQUIRED',
        detail: { claim: 'device', expected: 'base64url' },
      })
    },
  )

  it('passes over what is not there, and leaves the draft as it is', async () => {
    const { transform } = encoding.prepare({ claims: { other: { to: 'hex' } } }, settingOf())
    const draft = { ...draftOf(exchangeOf()), claims: map([['device', 'x']]) }
    expect(await transform?.(draft, exchangeOf())).toBe(draft)
  })

  it('refuses reserved claims when the profile is loaded', () => {
    expect(() => encoding.prepare({ claims: { cnf: { to: 'hex' } } }, settingOf())).toThrow(
      expect.objectContaining({ code: 'ERR_PROFILE_OPTION' }),
    )
  })
})
