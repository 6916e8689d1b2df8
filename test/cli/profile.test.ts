import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exit } from '../../src/cli/io.ts'
import { run } from '../../src/cli/run.ts'
import { tokenTypes } from '../../src/core/types.ts'
import { map } from '../../src/core/value.ts'
import type { Fate } from '../../src/profiles/loss.ts'
import { newOffice, type Office } from '../support/explaining.ts'
import { said } from '../support/world.ts'

const shippedFolder = join(import.meta.dirname, '../../profiles')
const shipped = readdirSync(shippedFolder).filter((name) => name.endsWith('.yaml') && !name.endsWith('.test.yaml'))

let folder: string
let office: Office
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-profile-'))
  cpSync(shippedFolder, folder, { recursive: true })
  office = await newOffice()
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  office.close()
})

async function profile(...args: readonly string[]) {
  const printed = { out: '', error: '' }
  const io = {
    input: async () => '',
    out(text: string) {
      printed.out += text
    },
    error(text: string) {
      printed.error += text
    },
    terminal: false,
  }
  const code = await run(['profile', ...args], io)
  return { code, ...printed }
}

/** A shipped profile, changed, in a file of its own. */
function changed(name: string, from: string | RegExp, to: string): string {
  const before = readFileSync(join(folder, name), 'utf8')
  const text = before.replace(from, () => to)
  if (text === before) throw new Error(`${name} has no ${from}`)
  const file = join(folder, `changed-${name}`)
  writeFileSync(file, text)
  return file
}

const lossOf = async (file: string): Promise<readonly Fate[]> =>
  (JSON.parse((await profile('loss', file, '--json')).out) as { claims: Fate[] }).claims
const fateOf = (fates: readonly Fate[], claim: string) =>
  fates.find((fate) => fate.claim === claim) ?? fates.find((fate) => fate.claim === 'any other claim')

describe('dragoman profile loss', () => {
  const jwt = shipped.filter((name) => /^(?:jwt-|pairwise)/.test(name) && name !== 'jwt-delegate.yaml')

  // What it says without a token is what happens with one.
  it.each(jwt)('%s: says what an exchange does', async (name) => {
    const fates = await lossOf(join(folder, name))
    const text = office.file(`profiles/${name}`)
    const [audience = ''] = /(?<=allow: \[)[^\],]+/.exec(text) ?? []
    const claims = map([...Object.entries(said), ['auth_time', 1_799_999_000], ['acr', 'gold'], ['amr', ['pwd']]])
    const { result, ledger = [] } = await office.explain({
      subject_token: await office.token('jwt', { claims }),
      audience,
      ...(name === 'jwt-to-x509.yaml' && { csr: office.file('client.csr') }),
    })
    expect(result).toBe('would_pass')
    for (const { claim, became } of ledger.filter((entry) => entry.became !== 'added')) {
      const fate = fateOf(fates, claim)
      const gone = /^(?:dropped|lost|replaced|mapped|hashed)$/.test(became)
      const wrong = gone ? ['kept'] : ['dropped', 'lost']
      // `iat` is that of the exchange, which here is that of the token.
      if (claim !== 'iat' && fate?.sometimes !== true) expect(wrong, `${claim} ${became}`).not.toContain(fate?.becomes)
    }
  })

  it('tells where each thing is decided', async () => {
    const fates = await lossOf(join(folder, 'jwt-to-cwt.yaml'))
    expect(fateOf(fates, 'email')).toMatchObject({ becomes: 'kept', place: { line: 14, column: 22 } })
    expect(fateOf(fates, 'exp')).toMatchObject({ becomes: 'narrowed', because: 'at most 300 seconds from now' })
    expect(fateOf(fates, 'groups')).toMatchObject({ claim: 'any other claim', becomes: 'dropped', place: { line: 12 } })
  })

  it('finds what the format cannot carry', async () => {
    const file = changed('jwt-to-x509.yaml', 'form: pem', 'form: pem, claims_extension: false')
    const fates = await lossOf(file)
    for (const claim of ['email', 'act', 'auth_time', 'scope']) {
      if (claim !== 'scope') expect(fateOf(fates, claim), claim).toMatchObject({ becomes: 'lost', place: { line: 19 } })
    }
    expect((await profile('loss', file)).out).toContain('lost: the format cannot carry it\n    act:')
  })

  it('finds values that the format has no kind for', async () => {
    const fates = await lossOf(join(folder, 'jwt-to-cwt.yaml'))
    expect(fates.map(({ claim }) => claim)).not.toContain('a claim with bytes')
    const toJwt = await lossOf(join(folder, 'cwt-to-jwt.yaml'))
    expect(fateOf(toJwt, 'a claim with bytes')).toMatchObject({ becomes: 'converted', sometimes: true })
  })

  it.each([
    [
      'a constraint that is dropped',
      /sender_constraint: .*/,
      'sender_constraint: { danger_drop_confirmation: true }',
      'cnf',
      'dropped',
    ],
    ['a history that is dropped', /sender_constraint: .*/, 'embedding: { danger_drop_act: true }', 'act', 'dropped'],
    ['a claim under another name', /sender_constraint: .*/, 'context: { rename: { email: mail } }', 'email', 'renamed'],
    [
      'a subject behind a pseudonym',
      /sender_constraint: .*/,
      'subject: { pairwise: { secret: any } }',
      'sub',
      'hashed',
    ],
    ['a value of the profile', /sender_constraint: .*/, 'context: { set: { tier: gold } }', 'tier', 'replaced'],
    ['another type', /sender_constraint: .*/, 'context: { keep: [age], types: { age: number } }', 'age', 'converted'],
  ])('finds %s', async (_, from, to, claim, becomes) => {
    expect(fateOf(await lossOf(changed('x509-to-jwt.yaml', from, to)), claim)).toMatchObject({ becomes })
  })

  it('says of a stage with a condition that it does not always run', async () => {
    const to = `context: { drop: [email] }\n    when: 'subject.sub == "x"'`
    const fates = await lossOf(changed('x509-to-jwt.yaml', /sender_constraint: .*/, to))
    expect(fateOf(fates, 'email')).toMatchObject({ becomes: 'dropped', sometimes: true })
  })

  it('names what is refused rather than lost', async () => {
    expect((await profile('loss', join(folder, 'jwt-to-cwt.yaml'))).out).toContain(
      'rather than lost (must_keep): email',
    )
  })
})

describe('dragoman profile size', () => {
  const sizesOf = async (...args: readonly string[]) => {
    const { out, code } = await profile('size', ...args, '--json')
    const { sizes, ...rest } = JSON.parse(out) as {
      algorithm?: string
      limit: number
      sizes: { algorithm: string; token: number; carried: number; signature: number; fits: boolean }[]
    }
    return { code, ...rest, of: (name: string) => sizes.find(({ algorithm }) => algorithm === name) }
  }

  it('measures signatures and keys of each algorithm', async () => {
    const { of } = await sizesOf(join(folder, 'jwt-resign-pq.yaml'))
    expect(of('ES256')).toMatchObject({ signature: 64, public_key: 91 })
    expect(of('ML-DSA-44')).toMatchObject({ signature: 2420, public_key: 1334 })
    expect(of('ML-DSA-87')).toMatchObject({ signature: 4627, public_key: 2614 })
    expect(of('PS512')).toMatchObject({ signature: 384 })
  })

  it('comes near to what an exchange issues', async () => {
    const { of } = await sizesOf(join(folder, 'jwt-to-cwt.yaml'))
    const world = office
    const { result } = await world.explain({
      subject_token: await world.token('jwt'),
      audience: 'https://jwt-to-cwt.beta.example',
      scope: 'orders.read orders.write',
    })
    expect(result).toBe('would_pass')
    const real = await issuedLength(world)
    expect(Math.abs((of('ES256')?.token ?? 0) - real) / real).toBeLessThan(0.15)
  })

  it('without an algorithm refuses what no algorithm would make fit', async () => {
    const any = 'profiles/jwt-to-cwt.yaml'
    expect(await sizesOf(any, '--limit', '600')).toMatchObject({ code: exit.done })
    expect(await sizesOf(any, '--limit', '100')).toMatchObject({ code: exit.refused })
  })

  it('holds the algorithm of the profile against the limit of the carrier', async () => {
    const pq = join(folder, 'jwt-resign-pq.yaml')
    expect(await sizesOf(pq)).toMatchObject({ code: exit.done, algorithm: 'ML-DSA-65', limit: 8192 })
    expect(await sizesOf(pq, '--carrier', 'cookie')).toMatchObject({ code: exit.refused, limit: 4096 })
    expect(await sizesOf(pq, '--limit', '16KiB')).toMatchObject({ code: exit.done, limit: 16_384 })
    expect((await profile('size', pq, '--limit', '1000')).out).toMatch(
      /^jwt-resign-pq: about \d+ bytes in a header with ML-DSA-65, beyond 1000\n/,
    )
  })

  it('takes the algorithm from a configuration where the profile has none', async () => {
    const file = join(folder, 'jwt-to-cwt.yaml')
    expect((await sizesOf(file)).algorithm).toBeUndefined()
    expect((await sizesOf(file, '--config', join(office.folder, 'dragoman.yaml'))).algorithm).toBe('ES256')
  })

  it('takes claims from a file', async () => {
    const claims = join(folder, 'claims.json')
    writeFileSync(claims, JSON.stringify({ sub: 'a', note: 'x'.repeat(1000) }))
    const file = join(folder, 'jwt-to-cwt.yaml')
    const grown = (await sizesOf(file, '--claims', claims)).of('ES256')?.token ?? 0
    expect(grown - ((await sizesOf(file)).of('ES256')?.token ?? 0)).toBeGreaterThan(1000)
  })

  it.each(shipped)('%s: can be measured', async (name) => {
    expect((await sizesOf(join(folder, name))).of('ES256')?.fits).toBe(true)
  })
})

describe('dragoman profile', () => {
  it('writes defaults out, and those of a configuration with it', async () => {
    const file = join(folder, 'jwt-to-cwt.yaml')
    const plain = await profile('expand', file)
    expect(plain.out).toContain('max_lifetime: 3600 # default')
    expect(plain.out).not.toContain('clock_skew')
    expect(plain.error).toContain('with --config they are written out')
    const whole = await profile('expand', file, '--config', join(office.folder, 'dragoman.yaml'))
    expect(whole.out).toContain('clock_skew: 30 # default')
    expect(whole.error).toBe('')
  })

  it.each([
    ['no verb', [], 'expected one of expand, loss, size'],
    ['another verb', ['shrink', 'x'], 'expected one of expand, loss, size'],
    ['no file', ['loss'], 'dragoman profile loss FILE'],
    ['another carrier', ['size', 'FILE', '--carrier', 'pigeon'], '--carrier is to be one of header, cookie, uri, body'],
    ['a limit that is none', ['size', 'FILE', '--limit', 'much'], 'much is not a number of bytes'],
    ['claims that are none', ['size', 'FILE', '--claims', 'none.json'], 'none.json is not a JSON object of claims'],
    [
      'a tenant that is not there',
      ['expand', 'FILE', '--config', 'CONFIG', '--tenant', 'x'],
      '--tenant is to be one of default',
    ],
  ])('refuses a wrong command line with exit code 2: %s', async (_, args, message) => {
    const places: { readonly [name: string]: string } = {
      FILE: join(folder, 'jwt-to-cwt.yaml'),
      CONFIG: join(office.folder, 'dragoman.yaml'),
    }
    const { code, error } = await profile(...args.map((arg) => places[arg] ?? arg))
    expect(error).toContain(message)
    expect(code).toBe(exit.usage)
  })

  it('says where a profile is wrong', async () => {
    const { code, error } = await profile('loss', changed('jwt-to-cwt.yaml', 'keep: [email]', 'kept: [email]'))
    expect(code).toBe(exit.refused)
    expect(error).toMatch(/changed-jwt-to-cwt\.yaml:14:16: stages\[0\]\.context\.kept: unknown option; known here: /)
    expect((await profile('loss', join(folder, 'none.yaml'))).error).toContain('expected: a profile that can be read')
  })
})

/** Characters of a CWT that the profile has issued. */
async function issuedLength({ folder: place, token }: Office): Promise<number> {
  let out = ''
  const io = {
    input: async () => token('jwt'),
    out(text: string) {
      out += text
    },
    error() {},
    terminal: false,
  }
  const at = ['--at', '1800000000', '--scope', 'orders.read orders.write', '--type', tokenTypes.jwt]
  await run(['translate', '--config', join(place, 'dragoman.yaml'), '--profile', 'jwt-to-cwt', ...at], io)
  return out.trim().length
}
