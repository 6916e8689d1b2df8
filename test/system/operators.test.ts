import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGateway } from '../../src/compose.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { type Answer, freePorts, type Live, newLive, rewrite, send } from '../support/live.ts'
import { TOKEN_EXCHANGE } from '../support/world.ts'

const SECRET = 'an-operators-secret-of-32-characters'
const CWT = 'https://jwt-to-cwt.beta.example'

let live: Live
let operators: string
beforeAll(async () => {
  const [port = 0] = await freePorts(1)
  operators = `http://127.0.0.1:${port}`
  live = await newLive({
    edit(folder) {
      writeFileSync(join(folder, 'operators.secret'), `${SECRET}\n`)
      const entry = `  - { host: 127.0.0.1, port: ${port}, operators: { secret_file: operators.secret } }\n`
      rewrite(folder, 'dragoman.yaml', 'listeners:\n', `listeners:\n${entry}`)
    },
  })
})
afterAll(() => live.close())

interface Asked {
  readonly secret?: string | undefined
  readonly url?: string
  readonly headers?: { readonly [name: string]: string }
}

async function ask(over: { readonly [name: string]: string } = {}, asked: Asked = {}): Promise<Answer> {
  const form = new URLSearchParams({
    grant_type: TOKEN_EXCHANGE,
    subject_token: await live.token('jwt'),
    subject_token_type: tokenTypes.jwt,
    audience: CWT,
    client_id: 'demo',
    ...over,
  })
  const { secret = SECRET } = asked
  return send(asked.url ?? `${operators}/explain`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(secret !== '' && { authorization: `Bearer ${secret}` }),
      ...asked.headers,
    },
    body: form.toString(),
  })
}

describe("the operators' listener", () => {
  it('says what would be issued, issues nothing and leaves no record', async () => {
    const { status, body, headers } = await ask()
    expect(status).toBe(200)
    expect(headers['cache-control']).toBe('no-store')
    expect(body).toMatchObject({
      version: 1,
      result: 'would_pass',
      client: { id: 'demo', method: 'given' },
      profile: { name: 'jwt-to-cwt' },
      output: { audience: [CWT], claims: { sub: 'text', email: 'text' } },
    })
    expect(JSON.stringify(body)).not.toContain('orders@alpha.example')
    expect(live.records).toHaveLength(0)
  })

  it('says why a request is refused, where the rule stands and what would make it pass', async () => {
    const { status, body } = await ask({ audience: 'https://nowhere.example' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ result: 'refused', refusal: { code: 'ERR_PROFILE_TARGET', step: 'select' } })
  })

  it('explains a form that is no token request', async () => {
    expect((await ask({ subject_token: '' })).body).toMatchObject({ refusal: { code: 'ERR_REQUEST_MISSING' } })
  })

  it('judges by another time when asked to', async () => {
    const at = String(Math.floor(Date.now() / 1000) + 7200)
    expect((await ask({ at })).body).toMatchObject({ refusal: { code: 'ERR_TOKEN_EXPIRED' } })
    expect((await ask({ at: 'noon' })).status).toBe(400)
  })

  it('judges credentials where the request has some, and takes nobody at his word then', async () => {
    const { body } = await ask({ client_secret: 'not-the-secret' })
    expect(body).toMatchObject({ refusal: { code: 'ERR_CLIENT_METHOD', found: 'client_secret_post' } })
    const basic = `Basic ${Buffer.from('demo:wrong').toString('base64')}`
    expect((await ask({ authorization: basic })).body).toMatchObject({ refusal: { code: 'ERR_CLIENT_SECRET' } })
  })

  it('reads a DPoP proof and a certificate from the form', async () => {
    expect((await ask({ dpop: 'nonsense' })).body).toMatchObject({ refusal: { code: 'ERR_PROOF_DPOP' } })
    const shown = { certificate: live.file('client.pem'), subject_token: 'mtls_client_certificate' }
    const asked = { ...shown, subject_token_type: tokenTypes.mtls, audience: 'https://x509-to-jwt.beta.example' }
    expect((await ask(asked)).body).toMatchObject({ result: 'would_pass', output: { bound_by: ['jkt', 'x5t#S256'] } })
  })

  it('knows the clients of the running gateway, and not whom it does not', async () => {
    expect((await ask({ client_id: 'nobody' })).body).toMatchObject({
      refusal: { code: 'ERR_CLIENT_UNKNOWN', found: 'nobody' },
    })
    expect((await ask({ tenant: 'other' })).status).toBe(400)
    expect((await ask({ tenant: 'default' })).status).toBe(200)
  })

  it('lets nobody in without the secret, whatever is sent', async () => {
    for (const secret of ['', 'x', SECRET.toUpperCase(), SECRET.slice(1)]) {
      const { status, headers, text } = await ask({}, { secret })
      expect(status, secret).toBe(401)
      expect(headers['www-authenticate']).toBe('Bearer realm="operators"')
      expect(text).not.toContain('profile')
    }
    const basic = { authorization: `Basic ${Buffer.from(`operators:${SECRET}`).toString('base64')}` }
    expect((await ask({}, { secret: '', headers: basic })).status).toBe(401)
  })

  it('is on no other listener, and serves nothing else to clients', async () => {
    for (const url of [`${live.plain}/explain`]) expect((await ask({}, { url })).status).toBe(404)
    for (const path of ['/token', '/jwks', '/.well-known/oauth-authorization-server', '/'])
      expect((await ask({}, { url: `${operators}${path}` })).status, path).toBe(404)
    expect((await send(`${operators}/livez`)).status).toBe(200)
    expect((await send(`${operators}/explain`)).status).toBe(405)
  })

  it('refuses what is too large, of another type, or in the URL', async () => {
    expect((await ask({ subject_token: 'a'.repeat(70_000) })).status).toBe(413)
    expect((await ask({}, { headers: { 'content-type': 'application/json' } })).status).toBe(400)
    expect((await ask({}, { url: `${operators}/explain?client_id=demo` })).status).toBe(400)
  })

  it('takes a new secret with a reload', async () => {
    const next = 'another-operators-secret-of-32-chars'
    writeFileSync(join(live.folder, 'operators.secret'), next)
    await live.gateway.reload()
    expect((await ask()).status).toBe(401)
    expect((await ask({}, { secret: next })).status).toBe(200)
    writeFileSync(join(live.folder, 'operators.secret'), SECRET)
    await live.gateway.reload()
  })

  it.each([
    ['a file that is not there', '{ secret_file: none.secret }', 'a file that can be read'],
    ['a secret that is too short', '{ secret_file: demo.secret }', 'a secret of at least 32 characters'],
    [
      'a variable that is not set',
      '{ secret_env: OPERATORS_SECRET }',
      'an environment variable that is set: OPERATORS_SECRET',
    ],
    ['no secret at all', '{}', 'secret_file'],
  ])('is not opened with %s', async (_, entry, expected) => {
    const file = join(live.folder, 'closed.yaml')
    writeFileSync(
      file,
      readFileSync(join(live.folder, 'dragoman.yaml'), 'utf8').replace(/operators: \{.*?\}/, `operators: ${entry}`),
    )
    await expect(createGateway(file, { env: {} })).rejects.toThrow(expected)
    await expect(createGateway(file, { env: {} })).rejects.toThrow(/closed\.yaml:\d+:\d+: listeners\[0\]\.operators/)
  })
})
