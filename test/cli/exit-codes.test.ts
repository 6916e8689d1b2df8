import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allCommands } from '../../src/cli/run.ts'
import { command } from '../support/command.ts'
import { newWorld, type World } from '../support/world.ts'

const commands = await allCommands()

let world: World
let configuration: string
beforeAll(async () => {
  world = await newWorld()
  configuration = join(world.folder, 'dragoman.yaml')
  mkdirSync(join(world.folder, 'bad'))
  writeFileSync(join(world.folder, 'bad/syntax.yaml'), 'issuer: [\n')
  writeFileSync(join(world.folder, 'bad/schema.yaml'), 'isuer: https://a.example\n')
  writeFileSync(
    join(world.folder, 'bad/down.yaml'),
    configured(`    jwks_uri: http://127.0.0.1:1/jwks
    fetch: { allow_private_addresses: true }`),
  )
})
afterAll(() => world.close())

const configured = (source: string) => `issuer: https://gw.example
keys: [{ name: signing, algorithm: ES256, generate: true }]
clients: [{ client_id: demo, token_endpoint_auth_method: client_secret_basic, client_secret_env: PATH }]
issuers:
  - issuer: https://id.example
    subjects: [orders/*]
${source}
profiles: p.yaml
`

const file = (name: string) => join(world.folder, name)
/** Commands that read a configuration, without `serve` and `dev`, which go on when nothing is wrong. */
const WITH_CONFIGURATION = ['validate', 'translate', 'lint', 'issuers', 'doctor'] as const
const others = (name: string) => (name === 'translate' ? ['--profile', 'jwt-to-cwt'] : [])

describe('an exit code means the same with every command', () => {
  it.each(commands.map(({ name }) => name))('%s --help: 0, with an example', async (name) => {
    const { code, out } = await command([name, '--help'])
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^example: .*dragoman ${name}`, 'm'))
  })

  it('validate takes profiles by themselves, and tells of each that is bad', async () => {
    const good = 'profiles/jwt-to-cwt.yaml'
    expect(await command(['validate', good, 'profiles/jwt-delegate.yaml'])).toMatchObject({
      code: 0,
      out: `${good}: jwt-to-cwt, by itself\nprofiles/jwt-delegate.yaml: jwt-delegate, by itself\n`,
    })
    writeFileSync(file('typo.yaml'), readFileSync(good, 'utf8').replace('stages:', 'stage:'))
    writeFileSync(file('typo-too.yaml'), readFileSync(good, 'utf8').replace('keep:', 'keeep:'))
    const bad = await command(['validate', file('typo.yaml'), file('typo-too.yaml'), good, '--json'])
    expect(bad.code).toBe(1)
    expect(bad.error).toMatch(/typo\.yaml:12:1: stage: unknown option; did you mean `stages`\?\n {2}stage:.*\n {2}\^/)
    expect(bad.error).toMatch(/typo-too\.yaml:14:\d+: .*did you mean `keep`/)
    expect(JSON.parse(bad.out)).toMatchObject({ profiles: [{ name: 'jwt-to-cwt' }] })
    expect((await command(['validate', good, file('none.yaml')])).code).toBe(3)
    expect((await command(['validate', good, '--config', configuration])).code).toBe(2)
  })

  it('help with the name of a command is the help of it', async () => {
    expect(await command(['help', 'lint'])).toEqual(await command(['lint', '--help']))
    expect(await command(['help', 'nothing-like-it'])).toMatchObject({ code: 2 })
  })

  it.each(commands.map(({ name }) => name))('%s with an option that there is not: 2', async (name) => {
    const { code, error } = await command([name, '--no-such-option'])
    expect(code).toBe(2)
    expect(error).toContain(`usage: dragoman ${name}`)
  })

  it.each([
    [['validat'], 'did you mean `validate`?'],
    [['validate', '--confg', 'x'], 'did you mean `--config`?'],
    [['test', '--mutat'], 'did you mean `--mutate`?'],
    [['nothing-like-it'], 'there is no command "nothing-like-it"\n'],
  ])('%j is told what was meant: 2', async (args, says) => {
    const { code, error } = await command(args)
    expect(code).toBe(2)
    expect(error).toContain(says)
  })

  it.each<[string, readonly string[]]>([
    ['serve', []],
    ['validate', []],
    ['translate', []],
    ['lint', []],
    ['diff', ['only-one']],
    ['diff', ['a', 'b', '--fail-on', 'sometimes']],
    ['issuers', []],
    ['doctor', []],
    ['keys', []],
    ['keys', ['list']],
    ['keys', ['new', '--algorithm', 'ES256']],
    ['keys', ['new', '--algorithm', 'HS256', 'x.pem']],
    ['completion', ['tcsh']],
    ['dev', ['--port', 'x']],
  ])('%s with a wrong command line (%j): 2', async (name, args) => {
    expect((await command([name, ...args])).code).toBe(2)
  })

  it.each([...WITH_CONFIGURATION, 'serve', 'keys'])('%s with a configuration that is not there: 3', async (name) => {
    const args = [...(name === 'keys' ? ['list'] : []), '--config', file('not-there.yaml'), ...others(name)]
    const { code, error } = await command([name, ...args])
    expect(error).not.toMatch(/\n\s+at |undefined/)
    expect(code).toBe(3)
  })

  it.each([...WITH_CONFIGURATION, 'serve', 'keys'])('%s with a configuration that is wrong: 1', async (name) => {
    for (const bad of ['bad/syntax.yaml', 'bad/schema.yaml']) {
      const args = [...(name === 'keys' ? ['list'] : []), '--config', file(bad), ...others(name)]
      const { code, error, out } = await command([name, ...args])
      expect(code, error).toBe(1)
      expect(error + out).toMatch(new RegExp(`${bad}:\\d+:\\d+: `))
    }
  })

  it.each(WITH_CONFIGURATION.filter((name) => name !== 'translate'))('%s with what is in order: 0', async (name) => {
    expect((await command([name, '--config', configuration])).code).toBe(0)
  })

  it('translate: 0 for what is issued, 1 for what is refused', async () => {
    const args = ['translate', '--config', configuration, '--profile', 'jwt-to-cwt', '--at', String(world.now)]
    expect((await command(args, await world.token('jwt'))).code).toBe(0)
    expect((await command(args, 'not.a.token')).code).toBe(1)
  })

  it('diff: 0 when nobody gains, 1 when somebody does, and as --fail-on says', async () => {
    const shipped = join(import.meta.dirname, '../../profiles')
    const [narrow, wide] = [join(shipped, 'jwt-to-cwt.yaml'), file('wide.yaml')]
    const text = readFileSync(narrow, 'utf8')
    writeFileSync(wide, text.replace('lifetime: 300', 'lifetime: 900'))
    const code = async (...args: string[]) => (await command(['diff', ...args])).code
    expect(await code(narrow, narrow)).toBe(0)
    expect(await code(narrow, wide)).toBe(1)
    expect(await code(wide, narrow)).toBe(0)
    expect(await code(wide, narrow, '--fail-on', 'any')).toBe(1)
    expect(await code(narrow, wide, '--fail-on', 'never')).toBe(0)
    expect(await code(narrow, file('not-there.yaml'))).toBe(3)
  })

  it('issuers and doctor: 3 for an issuer that cannot be reached', async () => {
    writeFileSync(file('bad/p.yaml'), PROFILE)
    const { code, out } = await command(['issuers', '--config', file('bad/down.yaml')])
    expect(out).toContain('last error   unreachable')
    expect(code).toBe(3)
    const doctor = await command(['doctor', '--config', file('bad/down.yaml')])
    expect(doctor.out).toMatch(/^outside {2}issuer https:\/\/id\.example: unreachable\n {9}remedy: \S/m)
    expect(doctor.code).toBe(3)
  })

  it('serve: 3 for a port that is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    writeFileSync(file('bad/p.yaml'), PROFILE)
    writeFileSync(
      file('bad/taken.yaml'),
      `listeners: [{ port: ${port} }]\n${configured('    jwks_uri: https://id.example/jwks')}`,
    )
    try {
      expect((await command(['serve', '--config', file('bad/taken.yaml')])).code).toBe(3)
      const { code, out } = await command(['doctor', '--config', file('bad/taken.yaml')])
      expect(out).toContain(`outside  port 127.0.0.1:${port}: in use\n`)
      expect(code).toBe(3)
    } finally {
      server.close()
    }
    rmSync(file('bad/taken.yaml'))
  })

  it('no command: 2, with all that there are; one that there is not: 2', async () => {
    const { code, out } = await command([])
    expect(code).toBe(2)
    for (const { name, summary } of commands) expect(out).toContain(`${name.padEnd(10)} ${summary}`)
    expect((await command(['lnit'])).code).toBe(2)
  })
})

const PROFILE = `name: p
accept:
  clients: [demo]
  subject: { format: jwt, issuers: [https://id.example] }
  targets: { allow: [https://orders.example] }
stages:
  - format: { to: jwt }
`
