import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const launcher = join(import.meta.dirname, '../../bin/dragoman.mjs')
const profiles = readdirSync(join(import.meta.dirname, '../../profiles'))
  .filter((name) => /^[^.]+\.yaml$/.test(name))
  .map((name) => name.replace('.yaml', ''))

let folder: string
let server: ChildProcess
let printed = ''
const commands = new Map<string, string>()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-dev-test-'))
  server = spawn(process.execPath, [launcher, 'dev', '--port', '0', '--tls-port', '0', '--folder', folder])
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on('data', (text: Buffer) => {
      printed += text.toString()
      if (printed.includes('# jwt-delegate') && printed.endsWith('\n')) resolve()
    })
    server.stderr?.on('data', (text: Buffer) => reject(new Error(text.toString())))
    server.once('exit', () => reject(new Error(`it ended: ${printed}`)))
  })
  for (const [, name = '', command = ''] of printed.matchAll(/^# ([a-z0-9-]+): .*\n((?:.*\\\n)*.*)\n/gm))
    commands.set(name, command)
})

afterAll(async () => {
  server.removeAllListeners('exit')
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  await ended
  rmSync(folder, { recursive: true })
})

const paste = async (profile: string) => {
  const { stdout } = await run('bash', ['-c', commands.get(profile) ?? 'false'])
  return JSON.parse(stdout) as { access_token: string; issued_token_type: string; [name: string]: unknown }
}

describe('dragoman dev', () => {
  it('prints a command line for each shipped profile', () => {
    expect([...commands.keys()].sort()).toEqual([...profiles].sort())
  })

  it.each(profiles)('prints a command line for %s that works when pasted', async (profile) => {
    const answer = await paste(profile)
    expect(answer).toMatchObject({ access_token: expect.any(String), issued_token_type: expect.any(String) })
    expect(answer).not.toHaveProperty('error')
  })

  it('issues JWTs that another library verifies with the published keys', async () => {
    const url = /listens on (http:\S+)/.exec(printed)?.[1]
    const keys = createLocalJWKSet((await (await fetch(`${url}/jwks`)).json()) as JSONWebKeySet)
    for (const profile of ['cwt-to-jwt', 'x509-to-jwt', 'jwt-downscope', 'pairwise-subject', 'jwt-delegate']) {
      const { payload } = await jwtVerify((await paste(profile)).access_token, keys, {
        issuer: url ?? '',
        typ: 'at+jwt',
      })
      expect(payload.client_id).toBe('demo')
    }
    const { protectedHeader } = await jwtVerify((await paste('jwt-resign-pq')).access_token, keys, {
      issuer: url ?? '',
    })
    expect(protectedHeader.alg).toBe('ML-DSA-65')
  })

  it('issues certificates that openssl verifies against the published authority', async () => {
    const url = /listens on (http:\S+)/.exec(printed)?.[1]
    const ca = join(folder, 'beta-ca.pem')
    writeFileSync(ca, await (await fetch(`${url}/ca.pem`)).text())
    for (const profile of ['jwt-to-x509', 'cwt-to-x509']) {
      const certificate = join(folder, `${profile}.pem`)
      writeFileSync(certificate, (await paste(profile)).access_token)
      const { stdout } = await run('openssl', [
        'verify',
        '-x509_strict',
        '-purpose',
        'sslclient',
        '-CAfile',
        ca,
        certificate,
      ])
      expect(stdout).toContain(': OK')
      const { stdout: text } = await run('openssl', ['x509', '-in', certificate, '-noout', '-text'])
      expect(text).toMatch(/URI:spiffe:\/\/(alpha|beta)\.example/)
    }
  })

  it('tells what became of each claim, and leaves one record for each exchange', async () => {
    const before = readFileSync(join(folder, 'audit.jsonl'), 'utf8').trim().split('\n').length
    await paste('jwt-to-cwt')
    await expect.poll(() => printed).toContain('dropped   groups')
    await expect
      .poll(() => readFileSync(join(folder, 'audit.jsonl'), 'utf8').trim().split('\n').length)
      .toBe(before + 1)
  })

  it('has the record of an exchange in its file when the answer is there', async () => {
    const file = join(folder, 'audit.jsonl')
    const count = () => readFileSync(file, 'utf8').split('\n').length
    const token = `${/listens on (http:\S+)/.exec(printed)?.[1]}/token`
    for (let more = 0; more < 20; more += 1) {
      const before = count()
      await fetch(token, { method: 'POST', body: new URLSearchParams({ grant_type: 'none' }) })
      expect(count()).toBe(before + 1)
    }
  })

  it('says that its port is in use and what to do, and leaves the folder of the one that uses it alone', async () => {
    const port = /listens on http:\S+:(\d+)/.exec(printed)?.[1] ?? ''
    const before = readFileSync(join(folder, 'dragoman.yaml'), 'utf8')
    const started = run(process.execPath, [launcher, 'dev', '--port', port, '--tls-port', '0', '--folder', folder])
    const failure = await started.catch((error: { code: number; stderr: string }) => error)
    expect(failure).toMatchObject({ code: 3, stderr: expect.stringContaining(`port ${port} is in use`) })
    expect(failure.stderr).toContain('--port 0')
    expect(readFileSync(join(folder, 'dragoman.yaml'), 'utf8')).toBe(before)
  })

  it('writes keys and tokens for their owner only', async () => {
    const { stdout } = await run('bash', [
      '-c',
      `stat -c '%a' ${folder}/client.key ${folder}/csr.key ${folder}/demo.secret`,
    ])
    expect(new Set(stdout.trim().split('\n'))).toEqual(new Set(['600']))
  })
})

describe('dragoman translate', () => {
  it('does the same offline, and prints result, ledger and steps', async () => {
    const child = run(process.execPath, [
      launcher,
      'translate',
      '--config',
      join(folder, 'dragoman.yaml'),
      '--profile',
      'jwt-to-cwt',
    ])
    child.child.stdin?.end(readFileSync(join(folder, 'subject.jwt')))
    const { stdout, stderr } = await child
    expect(stdout.trim()).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(stderr).toContain('kept      sub, email')
    expect(stderr).toMatch(/passed +verify subject/)
    expect(stderr).toMatch(/changed +stages\[0\]\.context/)
  })

  it('says which step refused, what was expected and what would help, with exit code 1', async () => {
    const config = join(folder, 'dragoman.yaml')
    const child = run(process.execPath, [launcher, 'translate', '--config', config, '--profile', 'jwt-to-x509'])
    child.child.stdin?.end(readFileSync(join(folder, 'subject.jwt')))
    const failure = await child.catch((error: { code: number; stderr: string }) => error)
    expect(failure).toMatchObject({ code: 1 })
    expect(failure.stderr).toContain('ERR_PROOF_REQUIRED')
    expect(failure.stderr).toContain('stages[3].sender_constraint')
    expect(failure.stderr).toMatch(/cure +Send what/)
  })

  it('takes the key of a bound token from a file', async () => {
    const config = join(folder, 'dragoman.yaml')
    const child = run(process.execPath, [
      ...[launcher, 'translate', '--config', config, '--profile', 'x509-to-cwt', '--json'],
      ...['--key', join(folder, 'client.key')],
    ])
    child.child.stdin?.end(readFileSync(join(folder, 'client.pem')))
    const { answer, record } = JSON.parse((await child).stdout)
    expect(answer.issued_token_type).toBe('urn:dragoman:token-type:cwt')
    expect(record.result).toBe('issued')
  })

  it('says how it is called, with exit code 2', async () => {
    const failure = await run(process.execPath, [launcher, 'translate']).catch(
      (error: { code: number; stderr: string }) => error,
    )
    expect(failure).toMatchObject({ code: 2 })
    expect(failure.stderr).toContain('usage: dragoman translate --config FILE')
  })
})

describe('dragoman validate', () => {
  const validate = (file: string) => run(process.execPath, [launcher, 'validate', '--config', file])

  it('names the profiles of a good configuration, and leaves nothing behind', async () => {
    const before = readFileSync(join(folder, 'audit.jsonl'), 'utf8')
    const { stdout } = await validate(join(folder, 'dragoman.yaml'))
    for (const profile of profiles) expect(stdout).toContain(profile)
    expect(readFileSync(join(folder, 'audit.jsonl'), 'utf8')).toBe(before)
  })

  it('says of a bad one where, what is wrong and what would be right, with exit code 1', async () => {
    const text = readFileSync(join(folder, 'dragoman.yaml'), 'utf8')
    const file = join(folder, 'bad.yaml')
    writeFileSync(file, text.replace('trust_domain', 'trustdomain'))
    const failure = await validate(file).catch((error: { code: number; stderr: string }) => error)
    expect(failure).toMatchObject({ code: 1 })
    expect(failure.stderr).toMatch(
      /bad\.yaml:\d+:5: issuers\[0\]\.trustdomain: unknown option; did you mean `trust_domain`\?/,
    )
  })
})

describe('dragoman inspect', () => {
  const inspect = async (input: string | Buffer) => {
    const child = run(process.execPath, [launcher, 'inspect'])
    child.child.stdin?.end(input)
    return (await child).stdout
  }

  it.each([
    ['subject.jwt', 'JWT (JWS compact), read, NOT verified', 'orders@alpha.example'],
    ['subject.cwt', 'COSE_Sign1, read, NOT verified', 'orders@alpha.example'],
    ['client.pem', 'X.509 certificate, read, NOT verified', 'spiffe://alpha.example/ns/shop/sa/orders'],
    ['client.csr', 'PKCS#10 certification request', 'CN=request'],
  ])('reads %s', async (file, kind, content) => {
    const text = await inspect(readFileSync(join(folder, file)))
    expect(text).toContain(kind)
    expect(text).toContain(content)
  })

  it('reads DER and CBOR as they are', async () => {
    const pem = readFileSync(join(folder, 'client.pem'), 'utf8')
    const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
    expect(await inspect(der)).toContain('X.509 certificate')
    expect(await inspect(Buffer.from(readFileSync(join(folder, 'subject.cwt'), 'utf8'), 'base64url'))).toContain(
      'COSE_Sign1',
    )
  })

  it('refuses what is no token, with exit code 1', async () => {
    const child = run(process.execPath, [launcher, 'inspect'])
    child.child.stdin?.end('hello')
    await expect(child).rejects.toMatchObject({ code: 1 })
  })
})
