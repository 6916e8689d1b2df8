import { describe, expect, it } from 'vitest'
import { keepsHistory, MAX_ACT_DEPTH } from '../../src/core/act.ts'
import { DragomanError } from '../../src/core/errors.ts'
import { map, type Value, type ValueMap } from '../../src/core/value.ts'
import { type EmbeddingOptions, embedding } from '../../src/stages/embedding.ts'
import { code, GATEWAY, ISSUER, newKey, prepared, runStage, type StageParts, verified } from '../support/exchange.ts'

const actor = verified({ claims: { sub: 'billing', email: 'x' }, provenance: { issuer: 'https://id.example' } })
const front = map([['sub', 'service:front']])
const acted = verified({ claims: { act: front } })

const run = (options: EmbeddingOptions, parts: StageParts = {}) => runStage(embedding, options, parts)

const load = (options: EmbeddingOptions) => expect(() => prepared(embedding, options))

const record = (members: { readonly [name: string]: Value }): ValueMap => map(Object.entries(members))

describe('embedding: act', () => {
  it('AC-07: without an actor the incoming act stays as it is', async () => {
    const draft = await run({ act: { from: 'keep' } }, { subject: acted })
    expect(draft.claims['act']).toEqual(front)
    expect((await run({ act: { from: 'keep' } })).claims).not.toHaveProperty('act')
  })

  it('AC-05: the actor token names the new actor, by issuer and subject and nothing else', async () => {
    const draft = await run({ act: { from: 'actor_token' } }, { actor })
    expect(draft.claims['act']).toEqual(record({ iss: 'https://id.example', sub: 'billing' }))
  })

  it('AC-05: the act of the subject token goes inside the new one, unchanged', async () => {
    const draft = await run({ act: { from: 'actor_token' } }, { subject: acted, actor })
    expect(draft.claims['act']).toEqual(record({ iss: 'https://id.example', sub: 'billing', act: front }))
    expect(keepsHistory(draft.claims['act'], front)).toBe(true)
    expect(draft.notes).toEqual([{ claim: 'act', became: 'embedded', to: 'act' }])
  })

  it('makes the authenticated client the actor, where the profile says so', async () => {
    const draft = await run({ act: { from: 'client' } }, { subject: acted })
    expect(draft.claims['act']).toEqual(record({ sub: 'orders', act: front }))
  })

  it('refuses an actor that has a history of its own: two histories have no order', async () => {
    const two = verified({ claims: { sub: 'billing', act: map([['sub', 'x']]) } })
    await expect(run({ act: { from: 'actor_token' } }, { subject: acted, actor: two })).rejects.toThrow(
      code('ERR_TOKEN_ACT', { role: 'actor' }),
    )
  })

  it('refuses a subject that acts for itself', async () => {
    await expect(run({ act: { from: 'actor_token' } }, { actor: verified() })).rejects.toThrow(
      code('ERR_TOKEN_ACT', { rule: 'self-delegation' }),
    )
  })

  it('takes an actor of the same name from another issuer: it is another party', async () => {
    const namesake = verified({ provenance: { issuer: 'https://id.example' } })
    const draft = await run({ act: { from: 'actor_token' } }, { actor: namesake })
    expect(draft.claims['act']).toEqual(record({ iss: 'https://id.example', sub: 'u-1' }))
  })

  it('refuses when the actor token is missing', async () => {
    await expect(run({ act: { from: 'actor_token' } })).rejects.toThrow(code('ERR_PROFILE_ACTOR_MISSING'))
  })

  it('S-14: does not accept an actor token and then name the client instead', async () => {
    await expect(run({ act: { from: 'client' } }, { actor })).rejects.toThrow(code('ERR_PROFILE_ACTOR_REFUSED'))
  })

  it('BD-25: a client that did not authenticate is nobody to act', async () => {
    const none = { id: 'orders', method: 'none' }
    await expect(run({ act: { from: 'client' } }, { client: none })).rejects.toThrow(code('ERR_CLIENT_MISSING'))
  })

  it('refuses the subject itself as client and actor', async () => {
    const client = { id: 'u-1', method: 'subject_token' }
    await expect(run({ act: { from: 'client' } }, { client })).rejects.toThrow(code('ERR_TOKEN_ACT'))
  })

  it(`AC-12: refuses a chain of more than ${MAX_ACT_DEPTH} actors instead of cutting it`, async () => {
    const chain = (depth: number): ValueMap =>
      depth === 1 ? front : record({ sub: `s-${depth}`, act: chain(depth - 1) })
    const subject = (depth: number) => verified({ claims: { act: chain(depth) } })
    await expect(run({ act: { from: 'client' } }, { subject: subject(MAX_ACT_DEPTH - 1) })).resolves.toBeDefined()
    await expect(run({ act: { from: 'client' } }, { subject: subject(MAX_ACT_DEPTH) })).rejects.toThrow(
      code('ERR_TOKEN_ACT'),
    )
  })

  it('leaves out the history with danger_drop_act only, and then starts a new one', async () => {
    const dropped = await run({ danger_drop_act: true }, { subject: acted })
    expect(dropped.claims).not.toHaveProperty('act')
    const anew = await run({ danger_drop_act: true, act: { from: 'client' } }, { subject: acted })
    expect(anew.claims['act']).toEqual(record({ sub: 'orders' }))
  })

  it('refuses to keep and to drop the history at once', () => {
    load({ danger_drop_act: true, act: { from: 'keep' } }).toThrow(code('ERR_PROFILE_OPTION', { path: 'act.from' }))
  })
})

describe('embedding: token', () => {
  it('carries the digest of what was signed in the subject token', async () => {
    const draft = await run({ token: { what: 'digest' } })
    expect(draft.embedded).toEqual([{ name: 'src_digest', place: 'claim', value: 'd1'.repeat(32) }])
  })

  it('carries a token that is bound to a key, under the name and in the place it is told', async () => {
    const subject = verified({ confirmation: { publicKey: newKey() } })
    const draft = await run({ token: { what: 'token', place: 'header', name: 'src' } }, { subject })
    expect(draft.embedded).toEqual([{ name: 'src', place: 'header', value: 'raw' }])
  })

  it('carries a bearer token that is for the audience of the output and nobody else', async () => {
    const subject = verified({ validity: { audience: ['https://a.example'] } })
    const audience = ['https://a.example', 'https://b.example']
    const draft = await run({ token: { what: 'token' } }, { subject, audience })
    expect(draft.embedded).toEqual([{ name: 'src_token', place: 'claim', value: 'raw' }])
  })

  it.each([
    ['us', ['https://gw.example']],
    ['us too', ['https://gw.example', 'https://a.example']],
    ['nobody in particular', []],
  ])('BD-03: refuses to carry a bearer token that is for %s', async (_, audience) => {
    const subject = verified({ validity: { audience } })
    await expect(run({ token: { what: 'token' } }, { subject })).rejects.toThrow(code('ERR_PROFILE_EMBEDDED'))
    const allowed = await run({ token: { what: 'token', danger_embed_bearer: true } }, { subject })
    expect(allowed.embedded).toHaveLength(1)
  })

  it('refuses what is no token, or too long for a header line', async () => {
    const subject = verified({ confirmation: { publicKey: newKey() } })
    for (const raw of ['mtls_client_certificate', 'x'.repeat(16_385)]) {
      const request = { subject_token: raw }
      await expect(run({ token: { what: 'token' } }, { subject, request })).rejects.toThrow(
        code('ERR_PROFILE_EMBEDDED'),
      )
    }
  })

  it('refuses a name that a claim or another embedded token has', async () => {
    const draft = { claims: map([['src_digest', 'mine']]) }
    await expect(runStage(embedding, { token: { what: 'digest' } }, { draft })).rejects.toThrow(
      code('ERR_PROFILE_EMBEDDED'),
    )
    const embedded = [{ name: 'src_digest', place: 'claim', value: 'x' } as const]
    await expect(runStage(embedding, { token: { what: 'digest' } }, { draft: { embedded } })).rejects.toThrow(
      code('ERR_PROFILE_EMBEDDED'),
    )
    await expect(
      runStage(embedding, { token: { what: 'digest', place: 'header' } }, { draft: { embedded } }),
    ).resolves.toBeDefined()
  })

  it.each(['sub', 'act', 'exp', 'scope', 'acr'])('refuses to load the name of the claim %s', (name) => {
    load({ token: { what: 'digest', name } }).toThrow(code('ERR_PROFILE_OPTION', { path: 'token.name' }))
  })

  it.each(['alg', 'kid', 'typ', 'crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'enc', 'cty'])(
    'refuses to load the name of the header member %s',
    (name) => {
      load({ token: { what: 'token', place: 'header', name } }).toThrow(
        code('ERR_PROFILE_OPTION', { path: 'token.name' }),
      )
    },
  )

  it('refuses danger_embed_bearer for a digest, which is no danger', () => {
    load({ token: { what: 'digest', danger_embed_bearer: true } }).toThrow(code('ERR_PROFILE_OPTION'))
  })
})

describe('embedding: path', () => {
  const from = (issuer: string, trust_path?: Value) =>
    verified({ claims: trust_path === undefined ? {} : { trust_path }, provenance: { issuer } })
  const pathOf = async (options: NonNullable<EmbeddingOptions['path']>, subject: ReturnType<typeof from>) =>
    (await run({ path: options }, { subject })).claims['trust_path']
  const [a, b] = ['https://a.example', 'https://b.example']
  const refused = code('ERR_TOKEN_PATH')

  it('adds the issuer of what was taken, behind those before', async () => {
    expect(await pathOf({}, from(a))).toEqual([a])
    expect(await pathOf({}, from(b, [a]))).toEqual([a, b])
  })

  it('adds nothing for a token of this gateway', async () => {
    expect(await pathOf({}, from(GATEWAY, [a]))).toEqual([a])
    expect(await pathOf({}, from(GATEWAY))).toBeUndefined()
  })

  it('BD-09: refuses a token that has been here, or anywhere twice', async () => {
    await expect(pathOf({}, from(b, [GATEWAY]))).rejects.toThrow(refused)
    await expect(pathOf({}, from(GATEWAY, [a, GATEWAY]))).rejects.toThrow(refused)
    await expect(pathOf({}, from(a, [a, b]))).rejects.toThrow(refused)
    expect(await pathOf({ revisit: true }, from(b, [GATEWAY]))).toEqual([GATEWAY, b])
  })

  it('BD-06: refuses one from too far away, who comes back included', async () => {
    expect(await pathOf({ max: 2 }, from(b, [a]))).toEqual([a, b])
    await expect(pathOf({ max: 1 }, from(b, [a]))).rejects.toThrow(refused)
    await expect(pathOf({ revisit: true, max: 2 }, from(b, [GATEWAY, b]))).rejects.toThrow(refused)
    await expect(pathOf({}, from(a, ['w', 'x', 'y', 'z']))).rejects.toThrow(refused)
  })

  it('refuses one that is malformed', async () => {
    await expect(pathOf({}, from(b, 'https://a.example'))).rejects.toThrow(refused)
  })

  it('goes with the rest of the history where that is dropped', async () => {
    const draft = await run({ danger_drop_act: true }, { subject: from(b, [a]) })
    expect(draft.claims).not.toHaveProperty('trust_path')
  })
})

describe('embedding: unwrap', () => {
  const accept = { format: 'jwt', issuers: ['https://inner.example'] }
  const outer = verified({ claims: { inner: 'inner-raw', act: front, acr: 'outer', email: 'outer@x' } })
  const inner = verified({
    claims: { sub: 'h-314', acr: 'urn:sc', email: 'dana@x', name: 'Dana' },
    validity: { expiresAt: 1_790_000_300.5, notBefore: 1_790_000_010.5, scope: ['read'] },
    provenance: { issuer: 'https://inner.example' },
  })
  const verify = async () => inner

  it('makes the embedded token the subject; only the history and the client of the exchange stay', async () => {
    const options: EmbeddingOptions = { unwrap: { claim: 'inner', accept, claims: ['name'] } }
    const request = { scope: ['read', 'write'] }
    const started = { claims: record({ sub: 'u-1', act: front, acr: 'outer', client_id: 'orders', email: 'outer@x' }) }
    const draft = await run(options, { subject: outer, verify, request, draft: started })
    expect(draft.claims).toEqual(record({ act: front, client_id: 'orders', sub: 'h-314', acr: 'urn:sc', name: 'Dana' }))
    expect(draft.validity).toMatchObject({ expiresAt: 1_790_000_300, notBefore: 1_790_000_011, scope: ['read'] })
    expect(draft.notes).toEqual([{ claim: 'sub', became: 'mapped' }])
  })

  it('never lets the output live longer than the outer token either', async () => {
    const long = verified({ validity: { expiresAt: 1_790_009_999 } })
    const draft = await run({ unwrap: { claim: 'inner', accept } }, { subject: outer, verify: async () => long })
    expect(draft.validity.expiresAt).toBe(1_790_000_600)
  })

  it('adds claims of the embedded token under a prefix', async () => {
    const options: EmbeddingOptions = {
      unwrap: { claim: 'inner', accept, use: 'claims', claims: ['sub', 'email', 'absent'] },
    }
    const draft = await run(options, { subject: outer, verify })
    expect(draft.claims).toEqual(
      record({ sub: 'u-1', act: front, acr: 'outer', inner_sub: 'h-314', inner_email: 'dana@x' }),
    )
    expect(draft.validity.expiresAt).toBe(1_790_000_300)
  })

  describe('deeper', () => {
    const innermost = verified({
      claims: { sub: 'w-1', act: front },
      validity: { expiresAt: 1_790_000_200, scope: ['read', 'write'] },
      provenance: { issuer: 'https://first.example' },
    })
    const holding = verified({ ...inner, claims: { ...inner.claims, older: 'innermost-raw' } })
    const byRaw =
      (tokens: { readonly [raw: string]: typeof inner }): NonNullable<StageParts['verify']> =>
      async ({ raw }) => {
        const token = tokens[raw]
        if (token === undefined) throw new DragomanError('ERR_TOKEN_SIGNATURE')
        return token
      }
    const options: EmbeddingOptions = {
      unwrap: {
        ...{ claim: 'inner', accept, use: 'claims', claims: ['iss', 'sub'] },
        deeper: [{ claim: 'older', accept, claims: ['iss', 'sub'], prefix: 'first_' }],
      },
    }

    it('verifies each token in the one around it, and lends what each says', async () => {
      const tokens = { 'inner-raw': holding, 'innermost-raw': innermost }
      const draft = await run(options, { subject: outer, verify: byRaw(tokens) })
      expect(draft.claims).toEqual(
        record({
          ...{ sub: 'u-1', act: front, acr: 'outer' },
          ...{ inner_iss: 'https://inner.example', inner_sub: 'h-314' },
          ...{ first_iss: 'https://first.example', first_sub: 'w-1' },
        }),
      )
      expect(draft.validity.expiresAt).toBe(1_790_000_200)
    })

    it('refuses when one of them is absent or does not verify', async () => {
      const tampered = run(options, { subject: outer, verify: byRaw({ 'inner-raw': holding }) })
      await expect(tampered).rejects.toThrow(
        code('ERR_PROFILE_EMBEDDED', { claim: 'older', code: 'ERR_TOKEN_SIGNATURE' }),
      )
      const absent = run(options, { subject: outer, verify: byRaw({ 'inner-raw': inner }) })
      await expect(absent).rejects.toThrow(code('ERR_PROFILE_EMBEDDED', { claim: 'older' }))
    })

    it('does not look for it in the token outside', async () => {
      const both = verified({ claims: { ...outer.claims, older: 'innermost-raw' } })
      const tokens = { 'inner-raw': inner, 'innermost-raw': innermost }
      await expect(run(options, { subject: both, verify: byRaw(tokens) })).rejects.toThrow(
        code('ERR_PROFILE_EMBEDDED', { claim: 'older' }),
      )
    })

    it('refuses to load what it could not write', () => {
      const reserved = [{ claim: 'older', accept, claims: ['x', 'xp'], prefix: 'e' }]
      load({ unwrap: { claim: 'inner', accept, deeper: reserved } }).toThrow(
        code('ERR_PROFILE_OPTION', { path: 'unwrap.deeper[0].claims[1]' }),
      )
      const typed = [{ claim: 'older', accept: { ...accept, types: ['urn:x'] } }]
      load({ unwrap: { claim: 'inner', accept, deeper: typed } }).toThrow(
        code('ERR_PROFILE_OPTION', { path: 'unwrap.deeper[0].accept.types' }),
      )
    })
  })

  it('hands the token over with its type and its rules, for the one verification that there is', async () => {
    const seen: unknown[] = []
    const recorder = async (...given: unknown[]) => {
      seen.push(given)
      return inner
    }
    await run({ unwrap: { claim: 'inner', accept } }, { subject: outer, verify: recorder })
    const bytes = verified({ claims: { inner: Uint8Array.of(0xfb, 0xff) } })
    const cwt = { format: 'cwt', issuers: ['self'], audience: 'any' as const }
    await run({ unwrap: { claim: 'inner', accept: cwt } }, { subject: bytes, verify: recorder })
    expect(seen).toMatchObject([
      [
        { raw: 'inner-raw', type: 'urn:ietf:params:oauth:token-type:jwt', role: 'embedded' },
        {
          format: 'jwt',
          issuers: ['https://inner.example'],
          audience: ['https://gw.example', 'https://gw.example/token'],
        },
      ],
      [
        { raw: '-_8', type: 'urn:dragoman:token-type:cwt', role: 'embedded' },
        { format: 'cwt', issuers: ['https://gw.example'], audience: [] },
      ],
    ])
  })

  it('binds the output to the key of the embedded token where the outer one has none', async () => {
    const confirmation = { publicKey: newKey() }
    const proof = { confirmation: { publicKey: newKey() } }
    const bound = async () => verified({ confirmation })
    const holder: EmbeddingOptions = { unwrap: { claim: 'inner', accept } }
    const audience: EmbeddingOptions = { unwrap: { claim: 'inner', accept: { ...accept, presented_by: 'audience' } } }
    const bearer = { subject: outer, verify: bound }
    const key = async (options: EmbeddingOptions, parts: StageParts) => (await run(options, parts)).confirmation
    expect(await key(holder, bearer)).toBe(confirmation)
    expect(await key(holder, { ...bearer, draft: proof })).toBe(confirmation)
    expect(await key(audience, { ...bearer, draft: proof })).toBe(proof.confirmation)
    expect(await key(audience, bearer)).toBe(confirmation)
    const held = verified({ claims: { inner: 'raw' }, confirmation: { publicKey: newKey() } })
    expect(await key(holder, { subject: held, verify: bound })).toBe(held.confirmation)
  })

  it('refuses with the reason inside when the embedded token fails its rules', async () => {
    await expect(run({ unwrap: { claim: 'inner', accept } }, { subject: outer })).rejects.toThrow(
      code('ERR_PROFILE_EMBEDDED', { claim: 'inner', code: 'ERR_TOKEN_SIGNATURE' }),
    )
  })

  it('EX-16: passes on that keys cannot be had for now, so that the client retries', async () => {
    const { DragomanError } = await import('../../src/core/errors.ts')
    const unavailable = () => Promise.reject(new DragomanError('ERR_TRUST_UNAVAILABLE'))
    await expect(run({ unwrap: { claim: 'inner', accept } }, { subject: outer, verify: unavailable })).rejects.toThrow(
      code('ERR_TRUST_UNAVAILABLE'),
    )
    const defect = () => Promise.reject(new TypeError('a defect'))
    await expect(run({ unwrap: { claim: 'inner', accept } }, { subject: outer, verify: defect })).rejects.toThrow(
      TypeError,
    )
  })

  it.each([
    ['absent', {}],
    ['no text', { inner: 7 }],
    ['empty', { inner: '' }],
  ])('refuses when the claim is %s', async (_, claims) => {
    const subject = verified({ claims })
    await expect(run({ unwrap: { claim: 'inner', accept } }, { subject, verify })).rejects.toThrow(
      code('ERR_PROFILE_EMBEDDED', { claim: 'inner' }),
    )
  })

  it('refuses an embedded token with a history of its own', async () => {
    const withAct = async () => verified({ claims: { act: map([['sub', 'x']]) } })
    await expect(run({ unwrap: { claim: 'inner', accept } }, { subject: outer, verify: withAct })).rejects.toThrow(
      code('ERR_PROFILE_EMBEDDED', { code: 'ERR_TOKEN_ACT' }),
    )
  })

  it.each<[string, EmbeddingOptions['unwrap']]>([
    ['unwrap.claims', { claim: 'inner', accept, use: 'claims' }],
    ['unwrap.claims[0]', { claim: 'inner', accept, use: 'claims', prefix: 'c', claims: ['nf'] }],
    ['unwrap.claims[1]', { claim: 'inner', accept, claims: ['name', 'exp'] }],
    ['unwrap.prefix', { claim: 'inner', accept, prefix: 'x' }],
    ['unwrap.accept.format', { claim: 'inner', accept: { ...accept, format: 'saml' } }],
    ['unwrap.accept.types', { claim: 'inner', accept: { ...accept, types: ['urn:x'] } }],
    [
      'unwrap.accept.types',
      {
        claim: 'inner',
        accept: {
          ...accept,
          types: ['urn:ietf:params:oauth:token-type:jwt', 'urn:ietf:params:oauth:token-type:id_token'],
        },
      },
    ],
  ])('refuses to load %s of %j', (path, unwrap) => {
    load({ ...(unwrap && { unwrap }) }).toThrow(code('ERR_PROFILE_OPTION', { path }))
  })

  it('unwraps first and delegates then', async () => {
    const options: EmbeddingOptions = { act: { from: 'client' }, unwrap: { claim: 'inner', accept } }
    const draft = await run(options, { subject: outer, verify })
    expect(draft.claims).toMatchObject({ sub: 'h-314', act: { sub: 'orders', act: { sub: 'service:front' } } })
  })
})

describe('embedding', () => {
  it('has nothing of the issuer of the subject token in act', async () => {
    const draft = await run({ act: { from: 'client' } })
    expect(JSON.stringify(draft.claims['act'])).not.toContain(ISSUER)
  })
})
