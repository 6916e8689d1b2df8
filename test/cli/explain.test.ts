import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exit } from '../../src/cli/io.ts'
import { run } from '../../src/cli/run.ts'
import type { AuditRecord } from '../../src/core/audit.ts'
import { tokenTypes } from '../../src/core/types.ts'
import type { Explanation } from '../../src/explain/types.ts'
import { rewrite } from '../support/live.ts'
import { NOW, newWorld, type World } from '../support/world.ts'

const CWT = 'https://jwt-to-cwt.beta.example'
const AT = ['--at', String(NOW)]

let world: World
let token: string
const file = (name: string) => join(world.folder, name)

beforeAll(async () => {
  world = await newWorld()
  token = await world.token('jwt')
  writeFileSync(file('good.jwt'), `${token}\n`)
})
afterAll(() => world.close())

/** Runs `dragoman explain` on the configuration of the world. */
async function explain(args: readonly string[], input = token) {
  let [out, error] = ['', '']
  const io = {
    input: async () => input,
    out: (text: string) => {
      out += text
    },
    error: (text: string) => {
      error += text
    },
    terminal: false,
  }
  const code = await run(['explain', '--config', file('dragoman.yaml'), ...args], io)
  return { code, out, error, json: (): Explanation => JSON.parse(out) as Explanation }
}

const auditOf = (...records: readonly AuditRecord[]): string => {
  const name = file(`audit-${records.map(({ id }) => id).join('-')}.jsonl`)
  writeFileSync(name, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  return name
}

describe('dragoman explain', () => {
  it('reads the token from standard input and says what would be issued', async () => {
    const { code, out } = await explain(['--client', 'demo', '--audience', CWT, ...AT])
    expect(code).toBe(exit.done)
    expect(out).toContain('would pass  jwt-to-cwt for demo')
    expect(out).toContain('dropped   groups, scope')
    expect(out).not.toContain('orders@alpha.example')
  })

  it('says why not with exit code 1, and which profiles were not chosen', async () => {
    const { code, out } = await explain(['--client', 'demo', '--audience', 'https://nowhere.example', ...AT])
    expect(code).toBe(exit.refused)
    expect(out).toContain('ERR_PROFILE_TARGET')
    expect(out).toMatch(/jwt-to-cwt: expected a target: https:\/\/jwt-to-cwt\.beta\.example/)
    expect(out).toMatch(/cwt-to-jwt: expected subject_token_type/)
  })

  it('prints one JSON object on request', async () => {
    const { json } = await explain(['--client', 'demo', '--audience', CWT, '--json', ...AT])
    expect(json()).toMatchObject({ version: 1, result: 'would_pass', output: { expires_in: 300 } })
  })

  it.each([
    ['JSON', JSON.stringify({ audience: [CWT], subject_token_file: 'GOOD', client_id: 'demo' })],
    ['a form', new URLSearchParams({ audience: CWT, subject_token_file: 'GOOD', client_id: 'demo' }).toString()],
  ])('takes a request as %s, with a token in a file', async (_, text) => {
    const good = text.startsWith('{') ? file('good.jwt') : encodeURIComponent(file('good.jwt'))
    writeFileSync(file('request'), text.replace('GOOD', good))
    const { code, json } = await explain(['--request', file('request'), '--json', ...AT], '')
    expect(json()).toMatchObject({ result: 'would_pass', client: { id: 'demo', method: 'given' } })
    expect(code).toBe(exit.done)
  })

  it('judges the credentials of a request, unless a client is given', async () => {
    const form = { audience: CWT, subject_token: token, client_id: 'demo', client_secret: 'something' }
    writeFileSync(file('request'), JSON.stringify(form))
    const judged = await explain(['--request', file('request'), '--json', ...AT])
    expect(judged.json().refusal?.code).toBe('ERR_CLIENT_METHOD')
    const given = await explain(['--request', file('request'), '--client', 'demo', '--json', ...AT])
    expect(given.json().result).toBe('would_pass')
  })

  it.each(['details', 'context'])('takes request_%s of a transaction', async (name) => {
    const line = ['--client', 'demo', '--audience', CWT, '--json', ...AT]
    expect((await explain([...line, `--${name}`, '{oops'])).json().refusal).toMatchObject({
      code: 'ERR_REQUEST_CONTEXT',
      expected: `request_${name} as the text of one JSON object`,
    })
  })

  it('says for what a token was taken that has no form of its own', async () => {
    const asked = ['--client', 'demo', '--audience', CWT, '--json', ...AT]
    const taken = 'the token is neither a JWT nor PEM, and was taken for a CWT: --subject-token-type says what it is'
    expect((await explain(asked, 'hello')).json().notes).toContain(taken)
    expect((await explain(asked)).json().notes).not.toContain(taken)
    expect((await explain([...asked, '--subject-token-type', tokenTypes.cwt], 'hello')).json().notes).not.toContain(
      taken,
    )
  })

  it('takes a certificate as shown, and a key as proved', async () => {
    writeFileSync(file('shown'), 'mtls_client_certificate')
    const shown = ['--subject-token', file('shown'), '--subject-token-type', tokenTypes.mtls]
    const asked = ['--client', 'demo', '--audience', 'https://x509-to-jwt.beta.example', '--json', ...AT]
    const certificate = await explain([...shown, '--certificate', file('client.pem'), ...asked])
    expect(certificate.json()).toMatchObject({ result: 'would_pass', output: { bound_by: ['jkt', 'x5t#S256'] } })
    const pem = ['--subject-token', file('client.pem'), '--key', file('client.key')]
    expect((await explain([...pem, ...asked])).json()).toMatchObject({ result: 'would_pass' })
    expect((await explain(['--subject-token', file('client.pem'), ...asked])).json().refusal?.code).toBe(
      'ERR_TOKEN_UNPROVED',
    )
  })

  it('tells of a code by itself, and of one that there is not which was meant', async () => {
    const { code, out, json } = await explain(['--code', 'ERR_OVERLOADED'])
    expect(code).toBe(exit.done)
    expect(out).toMatch(/^ERR_OVERLOADED\n.*to pass {4}ask again after the time in Retry-After/s)
    expect(() => json()).toThrow()
    const told = await explain(['--code', 'ERR_OVERLOADED', '--json'])
    expect(told.json()).toMatchObject({ result: 'refused', refusal: { code: 'ERR_OVERLOADED' }, steps: [] })
    const wrong = await explain(['--code', 'ERR_OVERLOAD'])
    expect(wrong.code).toBe(exit.usage)
    expect(wrong.error).toContain('did you mean `ERR_OVERLOADED`?')
  })

  it.each([
    ['no configuration', ['explain'], '--config is required'],
    ['a time that is none', ['explain', '--config', 'x', '--at', 'noon'], 'noon is not a time in seconds'],
    ['--audit alone', ['explain', '--config', 'x', '--audit', 'a'], '--audit goes with --request-id'],
    ['--request-id alone', ['explain', '--config', 'x', '--request-id', 'a'], '--request-id goes with --audit'],
    ['a token on the command line', ['explain', '--config', 'x', 'eyJ'], 'Unexpected argument'],
  ])('refuses a wrong command line with exit code 2: %s', async (_, args, message) => {
    let error = ''
    const io = {
      input: async () => '',
      out() {},
      error: (text: string) => {
        error += text
      },
      terminal: false,
    }
    expect(await run(args, io)).toBe(exit.usage)
    expect(error).toContain(message)
  })

  it.each([
    ['no token', ['--client', 'demo'], 'a token is expected on standard input'],
    ['a key that is none', ['--client', 'demo', '--key', 'CONFIG'], 'is not a key in PEM'],
    ['a tenant that is not there', ['--tenant', 'other'], '--tenant is to be one of default'],
  ])('and %s', async (_, args, message) => {
    const input = args.includes('CONFIG') ? token : ''
    const { code, error } = await explain(
      args.map((arg) => (arg === 'CONFIG' ? file('dragoman.yaml') : arg)),
      input,
    )
    expect(code).toBe(exit.usage)
    expect(error).toContain(message)
  })

  it.each([
    ['a token', ['--client', 'demo', '--subject-token', 'none.jwt']],
    ['an audit file', ['--request-id', 'a', '--audit', 'none.jsonl']],
  ])('has exit code 3 for a file that is not there: %s', async (_, args) => {
    const { code, error } = await explain(args)
    expect(code).toBe(exit.outside)
    expect(error).toMatch(/none\.(?:jwt|jsonl) cannot be read/)
  })

  it('has exit code 3 for what is outside', async () => {
    const fetched = { jwks_uri: 'http://127.0.0.1:9/jwks', fetch: { allow_private_addresses: true, timeout: 1 } }
    writeFileSync(file('outside.yaml'), world.file('dragoman.yaml'))
    rewrite(
      world.folder,
      'outside.yaml',
      'jwks_file: alpha-jwks.json',
      Object.entries(fetched)
        .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
        .join('\n    '),
    )
    const { code, out } = await explain([
      '--config',
      file('outside.yaml'),
      '--client',
      'demo',
      '--audience',
      CWT,
      ...AT,
    ])
    expect(out).toContain('ERR_TRUST_UNAVAILABLE')
    expect(out).toContain('try again: the token may well be good')
    expect(code).toBe(exit.outside)
  })
})

describe('dragoman explain --request-id', () => {
  /** An exchange that has taken place, and its record. */
  async function taken(audience: string): Promise<AuditRecord> {
    const { headers } = await world.post({ subject_token: token, audience })
    const record = world.last()
    // What the client was told leads there.
    expect(headers['x-request-id']).toBe(record.id)
    return record
  }

  it('finds the record by the id that the client was given, and explains it', async () => {
    const record = await taken('https://jwt-to-x509.beta.example')
    const others = [await taken(CWT), record, await taken(CWT)]
    const { code, json } = await explain(['--request-id', record.id, '--audit', auditOf(...others), '--json'])
    expect(code).toBe(exit.refused)
    expect(json()).toMatchObject({
      result: 'refused',
      request_id: record.id,
      time: '2027-01-15T08:00:00.000Z',
      client: { id: 'demo', method: 'client_secret_basic' },
      profile: { name: 'jwt-to-x509' },
      refusal: { code: 'ERR_PROOF_REQUIRED', place: { line: 18, column: 24 }, expected: 'a proof: pkcs10' },
    })
  })

  it('tells of an exchange that was issued', async () => {
    const record = await taken(CWT)
    const { code, json } = await explain(['--request-id', record.id, '--audit', auditOf(record), '--json'])
    expect(code).toBe(exit.done)
    expect(json()).toMatchObject({ result: 'issued', ledger: record.ledger })
  })

  it('gives no lines of a profile that has changed since, and says so', async () => {
    const record = { ...(await taken('https://jwt-to-x509.beta.example')), profile_digest: 'f'.repeat(64) }
    const { json } = await explain(['--request-id', record.id, '--audit', auditOf(record), '--json'])
    expect(json().refusal?.place).toBeUndefined()
    expect(json().refusal?.remedies.join(' ')).not.toMatch(/yaml:\d/)
    expect(json().notes.join(' ')).toContain('the profile jwt-to-x509 has changed since (it was ffffffffffff…)')
  })

  it('names the profiles that came nearest, where none was chosen', async () => {
    const record = await taken('https://nowhere.example')
    const { out } = await explain(['--request-id', record.id, '--audit', auditOf(record)])
    expect(out).toMatch(/at {9}select, .*\.yaml:\d+:12 \(accept\.targets\.allow\)/)
    expect(out).toContain('to pass    ask for one of')
  })

  it('goes through all of it again with the token, by the time of the record', async () => {
    const record = await taken('https://jwt-to-x509.beta.example')
    const again = [
      '--request-id',
      record.id,
      '--audit',
      auditOf(record),
      '--audience',
      'https://jwt-to-x509.beta.example',
    ]
    const refused = await explain([...again, '--subject-token', '-', '--json'])
    expect(refused.json()).toMatchObject({ request_id: record.id, refusal: { code: 'ERR_PROOF_REQUIRED' } })
    expect(refused.json().notes).toContain('the exchange came to: ERR_PROOF_REQUIRED')
    const mended = await explain([...again, '--subject-token', '-', '--csr', file('client.csr'), '--json'])
    expect(mended.json().result).toBe('would_pass')
    const other = await explain([...again, '--subject-token', '-', '--json'], await world.token('jwt'))
    expect(other.json().notes.join(' ')).toContain('another than that of the exchange')
  })

  describe('of a grant', () => {
    const config = () => ['--config', file('grants.yaml')]
    beforeAll(() => {
      writeFileSync(
        file('redeem.yaml'),
        `name: redeem
accept:
  grant: jwt-bearer
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.alpha.example] }
  targets: { allow: [https://redeemed.example], default: [https://redeemed.example] }
stages:
  - format: { to: jwt }
  - crypto: { key: signing }
`,
      )
      writeFileSync(
        file('grants.yaml'),
        world.file('dragoman.yaml').replace(/^profiles: .*$/m, 'profiles: redeem.yaml'),
      )
    })

    it('its token is told by the name of the grant, or by the record of it', async () => {
      const line = [...config(), '--client', 'demo', '--json', ...AT]
      expect((await explain(line)).json().refusal?.code).toBe('ERR_PROFILE_NONE')
      const named = await explain([...line, '--grant', 'jwt-bearer'])
      expect(named.json()).toMatchObject({ result: 'would_pass', profile: { name: 'redeem' } })
      const record = { ...(await taken(CWT)), id: 'a-grant', grant: 'jwt-bearer', code: 'ERR_TOKEN_EXPIRED' }
      const again = [...config(), '--request-id', 'a-grant', '--audit', auditOf(record), '--json']
      const told = (await explain([...again, '--subject-token', '-'])).json()
      expect(told).toMatchObject({ result: 'would_pass', profile: { name: 'redeem' } })
      expect(told.notes.join()).not.toContain('another than that of the exchange')
    })

    it('a request for one has its token as the assertion, from a file too', async () => {
      const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
      for (const more of [{ assertion: token }, { assertion_file: file('good.jwt') }]) {
        writeFileSync(file('request'), JSON.stringify({ grant_type, ...more }))
        const { json } = await explain(
          [...config(), '--client', 'demo', '--request', file('request'), '--json', ...AT],
          '',
        )
        expect(json().result).toBe('would_pass')
      }
    })

    it('the client is told what this grant says of a token that is refused', async () => {
      const late = ['--at', String(NOW + 90_000)]
      const line = [...config(), '--client', 'demo', '--grant', 'jwt-bearer', '--json', ...late]
      expect((await explain(line)).json().refusal).toMatchObject({ code: 'ERR_TOKEN_EXPIRED', error: 'invalid_grant' })
      const exchange = ['--client', 'demo', '--audience', CWT, '--json', ...late]
      expect((await explain(exchange)).json().refusal?.error).toBe('invalid_request')
      const record = { ...(await taken('https://nowhere.example')), id: 'heard', error: 'invalid_grant' }
      const heard = await explain([...config(), '--request-id', 'heard', '--audit', auditOf(record), '--json'])
      expect(heard.json().refusal?.error).toBe('invalid_grant')
    })

    it('one that there is not is told with those that there are', async () => {
      const { code, error } = await explain([...config(), '--client', 'demo', '--grant', 'password'])
      expect(code).toBe(exit.usage)
      expect(error).toContain('--grant is to be one of token-exchange, jwt-bearer')
    })
  })

  describe('of a proxy', () => {
    const edge = () => ['--config', file('edge.yaml')]
    const asked = { name: 'edge', profile: 'jwt-to-cwt', client: 'demo', request_from: 'x-original', audience: [CWT] }
    beforeAll(() => {
      const lines = world.file('dragoman.yaml')
      const more = { ...asked, subject_token_type: tokenTypes.jwt, scope: ['admin'] }
      writeFileSync(file('edge.yaml'), `${lines}forward_auth: ${JSON.stringify([more])}\n`)
    })

    /** As an endpoint for proxies leaves it: the client was not known yet. */
    const recordOf = (code: string): string =>
      auditOf({
        ...{ time: new Date(NOW * 1000).toISOString(), event: 'exchange', id: `proxy-${code}`, tenant: 'default' },
        ...{ result: 'refused', code, endpoint: 'forward-auth/edge', duration_us: 1 },
        trace: [{ step: 'read', outcome: 'refused', detail: { code, field: 'uri', expected: 'a path' } }],
      } as AuditRecord)

    it.each([
      ['ERR_REQUEST_FORWARDED', 'access_denied', 403],
      ['ERR_CLIENT_SECRET', 'temporarily_unavailable', 503],
      ['ERR_TOKEN_EXPIRED', 'invalid_token', 401],
    ])('what it heard of %s is told, not what the token endpoint says', async (code, error, status) => {
      const { json } = await explain([...edge(), '--request-id', `proxy-${code}`, '--audit', recordOf(code), '--json'])
      expect(json().refusal).toMatchObject({ code, error })
      expect(json().notes.join()).toContain(`asked by a proxy, at forward-auth/edge: it hears ${status} of this`)
    })

    it('a part of the request that no proxy sets is not told as a header field', async () => {
      const audit = recordOf('ERR_REQUEST_FORWARDED')
      const { out } = await explain([...edge(), '--request-id', 'proxy-ERR_REQUEST_FORWARDED', '--audit', audit])
      expect(out).not.toContain('have the proxy set uri')
      expect(out).toContain('to pass    have the client ask with such a uri')
    })

    it('with the token, its endpoint says what is asked for, and as whom', async () => {
      const audit = recordOf('ERR_REQUEST_FORWARDED')
      const line = [...edge(), '--request-id', 'proxy-ERR_REQUEST_FORWARDED', '--audit', audit, '--json']
      const { json } = await explain([...line, '--subject-token', '-'])
      expect(json()).toMatchObject({ client: { id: 'demo' }, refusal: { code: 'ERR_PROFILE_SCOPE' } })
      expect(json().refusal?.error).toBe('insufficient_scope')
      expect(json().notes.join()).toContain('`request.forwarded` is missing here')
      const other = await explain([...line, '--subject-token', '-', '--scope', 'orders.read'])
      expect(other.json()).toMatchObject({ result: 'would_pass', output: { audience: [CWT] } })
    })
  })

  it('passes over lines that are no records, and says when there is none', async () => {
    const record = await taken(CWT)
    const name = auditOf(record)
    appendFileSync(name, `not JSON "${record.id}"\n{"id":"${record.id}"}\n`)
    expect((await explain(['--request-id', record.id, '--audit', name, '--json'])).json().result).toBe('issued')
    const none = await explain(['--request-id', 'none', '--audit', name])
    expect(none).toMatchObject({ code: exit.usage })
    expect(none.error).toContain('no record has the id "none"')
    expect((await explain(['--request-id', 'x', '--audit', file('none.jsonl')])).error).toContain(
      'cannot be read (ENOENT)',
    )
  })

  it('takes an id that begins with a hyphen, as one in sixty-four does', async () => {
    const record = { ...(await taken(CWT)), id: '-u8rXEQvQ0-4nBcdPzQ7sA' }
    const answer = await explain(['--request-id', record.id, '--audit', auditOf(record), '--json'])
    expect(answer.json().result).toBe('issued')
  })

  it('does not trip over a reason code of another version', async () => {
    const record = { ...(await taken('https://nowhere.example')), code: 'ERR_OF_TOMORROW' }
    const { code, error } = await explain(['--request-id', record.id, '--audit', auditOf(record)])
    expect(code).toBe(exit.outside)
    expect(error).toContain('ERR_OF_TOMORROW')
  })
})
