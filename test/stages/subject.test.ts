import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { map } from '../../src/core/value.ts'
import { type SubjectOptions, subject as stage } from '../../src/stages/subject.ts'
import { code, GATEWAY, ISSUER, prepared, runStage, type StageParts, verified } from '../support/exchange.ts'

const subject = verified({ claims: { email: 'ada@example.org', ns: 'pay', level: 7 } })
const secrets = { pairwise: Buffer.alloc(32, 7), short: Buffer.alloc(31) }
const files = {
  'table.json': JSON.stringify({
    [ISSUER]: { 'u-1': 'ada', 'ada@example.org': 'by-mail' },
    'https://b.example': { 'u-1': 'bob' },
  }),
  'list.json': '[]',
  'flat.json': `{ "${ISSUER}": "ada" }`,
  'number.json': `{ "${ISSUER}": { "u-1": 1 } }`,
  'control.json': `{ "${ISSUER}": { "u-1": "a\\u0000b" } }`,
  'broken.json': '{',
}

const run = async (options: SubjectOptions, parts: StageParts = {}) =>
  (await runStage(stage, options, { subject, files, secrets, ...parts })).claims['sub']

const load = (options: SubjectOptions) => expect(() => prepared(stage, options, { files, secrets }))

describe('subject', () => {
  it.each<[SubjectOptions, string]>([
    [{ fixed: 'service:reports' }, 'service:reports'],
    [{ fixed: 'spiffe://example.org/reports' }, 'spiffe://example.org/reports'],
    [{ template: 'user:{subject.email}' }, 'user:ada%40example.org'],
    [{ spiffe: { trust_domain: 'example.org', path: '/ns/{subject.ns}' } }, 'spiffe://example.org/ns/pay'],
    [{ spiffe: { trust_domain: 'example.org', path: '/reports' } }, 'spiffe://example.org/reports'],
    [{ claim: 'email' }, 'ada@example.org'],
    [{ cel: 'subject.iss + "|" + subject.sub' }, `${ISSUER}|u-1`],
    [{ lookup: { file: 'table.json' } }, 'ada'],
    [{ lookup: { file: 'table.json', claim: 'email' } }, 'by-mail'],
    [{ lookup: { file: 'table.json', claim: 'ns', default: 'guest' } }, 'guest'],
  ])('%j', async (options, expected) => {
    expect(await run(options)).toBe(expected)
  })

  it('notes that the subject was mapped, or hashed', async () => {
    const mapped = await runStage(stage, { fixed: 'x' }, { subject })
    const hashed = await runStage(stage, { pairwise: { secret: 'pairwise' } }, { subject, secrets })
    expect([mapped.notes, hashed.notes]).toEqual([
      [{ claim: 'sub', became: 'mapped' }],
      [{ claim: 'sub', became: 'hashed' }],
    ])
  })

  it.each<[string, SubjectOptions]>([
    ['an absent claim', { claim: 'phone' }],
    ['a claim that is no text', { claim: 'level' }],
    ['an expression that is no text', { cel: 'subject.level' }],
    ['an empty text', { cel: 'subject.ns.substring(3)' }],
    ['a text of blanks', { cel: '"  " + subject.ns.substring(3)' }],
    ['a control character', { cel: '"a\\n" + subject.ns' }],
    ['a character that is not seen', { cel: '"a\\u200b" + subject.ns' }],
    ['a text direction', { cel: '"a\\u202e" + subject.ns' }],
    ['a malformed SPIFFE ID', { cel: '"spiffe://Example.org/" + subject.ns' }],
    ['a SPIFFE ID of a trust domain', { cel: '"spiffe://example.org" + subject.ns.substring(3)' }],
  ])('refuses %s as a subject', async (_, options) => {
    await expect(run(options)).rejects.toThrow(code('ERR_PROFILE_SUBJECT'))
  })

  it('refuses a subject of more than 2048 bytes', async () => {
    const long = (bytes: number) => ({
      subject: verified({ claims: { long: `${'é'.repeat(1024)}${'x'.repeat(bytes - 2048)}` } }),
    })
    expect(await run({ claim: 'long' }, long(2048))).toHaveLength(1024)
    await expect(run({ claim: 'long' }, long(2049))).rejects.toThrow(code('ERR_PROFILE_SUBJECT'))
  })

  it('BD-11: the same name from two issuers is two subjects in a lookup', async () => {
    const other = verified({ provenance: { issuer: 'https://b.example' } })
    expect(await run({ lookup: { file: 'table.json' } }, { subject: other })).toBe('bob')
  })

  it.each([
    ['a subject without a row', verified({ claims: { sub: 'u-2' } })],
    ['an issuer without a row', verified({ provenance: { issuer: 'https://c.example' } })],
    ['a subject named like a member of Object', verified({ claims: { sub: 'constructor' } })],
  ])('refuses %s in a lookup', async (_, unknown) => {
    await expect(run({ lookup: { file: 'table.json' } }, { subject: unknown })).rejects.toThrow(
      code('ERR_PROFILE_LOOKUP'),
    )
  })

  describe('pairwise', () => {
    it('is HMAC-SHA-256 over issuer, subject and sector, in base64url, behind its prefix', async () => {
      const input = JSON.stringify([ISSUER, 'u-1', 'audience', 'https://a.example'])
      const expected = createHmac('sha256', secrets.pairwise).update(input).digest('base64url')
      expect(await run({ pairwise: { secret: 'pairwise', prefix: 'pw_' } })).toBe(`pw_${expected}`)
    })

    it('is the same each time for one sector, and another for another', async () => {
      const options: SubjectOptions = { pairwise: { secret: 'pairwise' } }
      const [one, again, other] = await Promise.all([
        run(options),
        run(options),
        run(options, { audience: ['https://b.example'] }),
      ])
      expect(one).toBe(again)
      expect(one).not.toBe(other)
    })

    it('keeps apart issuers, subjects, and an audience from a client of the same name', async () => {
      const audience = ['orders']
      const subjects = await Promise.all([
        run({ pairwise: { secret: 'pairwise' } }, { audience }),
        run({ pairwise: { secret: 'pairwise', per: 'client' } }, { audience }),
        run({ pairwise: { secret: 'pairwise', per: 'sector', sector: 'orders' } }, { audience }),
        run({ pairwise: { secret: 'pairwise' } }, { audience, subject: verified({ claims: { sub: 'u-2' } }) }),
        run({ pairwise: { secret: 'pairwise' } }, { audience, subject: verified({ provenance: { issuer: GATEWAY } }) }),
      ])
      expect(new Set(subjects).size).toBe(subjects.length)
    })

    it('refuses several audiences, since it would be made for one of them', async () => {
      const audience = ['https://a.example', 'https://b.example']
      await expect(run({ pairwise: { secret: 'pairwise' } }, { audience })).rejects.toThrow(
        code('ERR_PROFILE_TARGET_COUNT'),
      )
      await expect(run({ pairwise: { secret: 'pairwise', per: 'client' } }, { audience })).resolves.toBeDefined()
    })
  })

  describe('actor', () => {
    const actor = verified({
      claims: { sub: 'billing', email: 'x', exp: 1 },
      provenance: { issuer: 'https://id.example' },
    })

    it('adds who acts, beside a new subject', async () => {
      const draft = await runStage(stage, { fixed: 'x', actor: 'actor_token' }, { subject, actor })
      expect(draft.claims).toEqual(
        map(Object.entries({ sub: 'x', act: map(Object.entries({ iss: 'https://id.example', sub: 'billing' })) })),
      )
    })

    it('leaves the subject as it is when it stands alone', async () => {
      const draft = await runStage(stage, { actor: 'client' }, { subject })
      expect(draft.claims['sub']).toBe('u-1')
      expect(draft.claims['act']).toEqual(map([['sub', 'orders']]))
    })
  })

  it.each<[string, SubjectOptions]>([
    ['claim', { fixed: 'a', claim: 'b' }],
    ['', {}],
    ['fixed', { fixed: ' ' }],
    ['fixed', { fixed: 'spiffe://example.org/a/' }],
    ['fixed', { fixed: 'a\u0007' }],
    ['template', { template: 'no placeholder' }],
    ['spiffe.trust_domain', { spiffe: { trust_domain: 'Example.org', path: '/a' } }],
    ['spiffe.path', { spiffe: { trust_domain: 'example.org', path: '/a/{subject.b}/' } }],
    ['spiffe.path', { spiffe: { trust_domain: 'example.org', path: '/a/../b' } }],
    ['cel', { cel: 'subject.' }],
    ['cel', { cel: '1 + 1' }],
    ['lookup.file', { lookup: { file: 'absent.json' } }],
    ['lookup.file', { lookup: { file: 'broken.json' } }],
    ['lookup.file', { lookup: { file: 'list.json' } }],
    ['lookup.file', { lookup: { file: 'flat.json' } }],
    ['lookup.file', { lookup: { file: 'number.json' } }],
    ['lookup.file', { lookup: { file: 'control.json' } }],
    ['lookup.default', { lookup: { file: 'table.json', default: '\n' } }],
    ['pairwise.secret', { pairwise: { secret: 'short' } }],
    ['pairwise.sector', { pairwise: { secret: 'pairwise', per: 'sector' } }],
    ['pairwise.sector', { pairwise: { secret: 'pairwise', sector: 'x' } }],
    ['pairwise.prefix', { pairwise: { secret: 'pairwise', prefix: 'spiffe:' } }],
  ])('refuses to load %s of %j', (path, options) => {
    load(options).toThrow(code('ERR_PROFILE_OPTION', { path }))
  })
})
