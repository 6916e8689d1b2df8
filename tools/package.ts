// Packs the package, installs it elsewhere without its optional dependencies, and uses it as its users do.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'dragoman-package-'))
const run = (file: string, args: readonly string[], cwd = folder, input = '') =>
  execFileSync(file, [...args], { cwd, encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'inherit'] })

try {
  run('npm', ['pack', '--silent', '--pack-destination', folder], root)
  const [archive = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  writeFileSync(join(folder, 'package.json'), '{"name":"user","private":true,"type":"module"}')
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=optional', `./${archive}`])

  const version = run(process.execPath, ['node_modules/dragoman/bin/dragoman.mjs', '--version']).trim()
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`--version printed ${version}`)

  writeFileSync(
    join(folder, 'use.mjs'),
    `import { builtin, createGateway, DragomanError, exchangeToken, tokenTypes } from 'dragoman'
const { codecs, stages } = builtin()
if (codecs.length < 3 || stages.length < 8 || typeof exchangeToken !== 'function' || !tokenTypes.jwt) throw new Error('exports')
await createGateway('missing.yaml').then(() => { throw new Error('it started') }, (error) => {
  if (!(error instanceof DragomanError)) throw error
})
console.log('library works')
`,
  )
  if (run(process.execPath, ['use.mjs']).trim() !== 'library works') throw new Error('the library does not work')

  // A team tests its profiles in its own test runner, with a stage of its own.
  writeFileSync(
    join(folder, 'extension.mjs'),
    `export const extension = { stages: [{
  name: 'motto', phase: 'meaning', summary: 'adds a motto',
  schema: { type: 'object', additionalProperties: false, required: ['says'], properties: { says: { type: 'string', description: 'It.' } } },
  prepare: ({ says }) => ({ transform: (draft) => ({ ...draft, claims: { ...draft.claims, motto: says } }) }),
}] }
`,
  )
  writeFileSync(
    join(folder, 'own.yaml'),
    `name: own
accept:
  clients: [shop]
  subject: { format: jwt, issuers: [https://login.example] }
  targets: { allow: [https://orders.example] }
stages:
  - motto: { says: per aspera }
  - format: { to: jwt }
`,
  )
  writeFileSync(
    join(folder, 'own.test.yaml'),
    `setup: { issuers: [{ issuer: https://login.example, subjects: ['*'] }] }
tokens: { ada: { claims: { sub: ada } } }
cases:
  - { name: the motto is added, request: { subject: ada }, expect: { token: { claims: { motto: per aspera } } } }
`,
  )
  writeFileSync(
    join(folder, 'own.spec.mjs'),
    `import { test } from 'node:test'
import { createTester, testsAt } from 'dragoman/testing'
import { extension } from './extension.mjs'
const tester = createTester(extension)
for (const file of testsAt(['own.yaml']).tests) test(file, () => tester.assert(file))
`,
  )
  run(process.execPath, ['--test', 'own.spec.mjs'])
  const own = ['node_modules/dragoman/bin/dragoman.mjs', 'test', 'own.yaml', '--extension', 'extension.mjs']
  if (!run(process.execPath, own).includes('all passed')) throw new Error('the command does not take the extension')

  // A service verifies tokens with nothing of a gateway but this folder.
  writeFileSync(
    join(folder, 'service.mjs'),
    `import { createVerifier, connectVerifier, fastifyVerifier } from 'dragoman/verify'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
const verifier = createVerifier({
  issuers: [{ issuer: 'https://id.alpha.example', jwks_file: 'dev/alpha-jwks.json' }],
  audience: 'https://orders.beta.example',
  kind: 'jwt',
  requests: { 'GET /orders/:id': { scope: 'orders.read' } },
})
const guard = connectVerifier(verifier)
const server = createServer((request, response) => guard(request, response, () => response.end(request.verified.sub)))
server.listen(0, '127.0.0.1', async () => {
  const ask = async (path, token) => {
    const answer = await fetch('http://127.0.0.1:' + server.address().port + path, { headers: { authorization: 'Bearer ' + token } })
    return answer.status + ' ' + answer.headers.get('www-authenticate')
  }
  const token = readFileSync('dev/subject.jwt', 'utf8').trim()
  console.log(await ask('/orders/1', token), await ask('/admin', token), await ask('/orders/1', token.slice(0, -8) + 'AAAAAAAA'))
  console.log(typeof fastifyVerifier(verifier))
  server.close()
})
`,
  )

  // Its types, as a strict program of somebody else sees them: those of fastify are there, those of Express need not be.
  writeFileSync(
    join(folder, 'typed.ts'),
    `import { createServer } from 'node:http'
import { type ConnectRequest, connectVerifier, createVerifier, fastifyVerifier, type VerifiedToken } from 'dragoman/verify'
import { fastify } from 'fastify'
const verifier = createVerifier({
  issuers: [{ issuer: 'https://gw.example', jwks_uri: 'https://gw.example/jwks' }],
  audience: 'beta.example',
  kind: 'txntoken+jwt',
  requests: { 'GET /orders/:id': { scope: [], tctx: { id: { path: 'id' }, shop: { header: 'x-shop', optional: true } } } },
})
const app = fastify()
await app.register(fastifyVerifier(verifier))
app.get('/orders/:id', ({ verified }): string | undefined => verified.txn)
const guard = connectVerifier(verifier)
createServer((request: ConnectRequest, response) => guard(request, response, () => response.end(request.verified?.sub)))
// @ts-expect-error a part of a request that there is not
createVerifier({ issuers: [], audience: 'x', requests: { 'GET /': { scope: [], tctx: { a: { cookie: 'a' } } } } })
export const who = ({ sub, actors }: VerifiedToken): string => (actors.length > 0 ? 'somebody for ' : '') + sub
`,
  )
  const flags = [
    '--noEmit',
    '--strict',
    '--target',
    'es2024',
    '--module',
    'nodenext',
    '--types',
    'node',
    '--skipLibCheck',
  ]
  const types = ['--typeRoots', join(root, 'node_modules/@types')]
  run(join(root, 'node_modules/.bin/tsc'), [...flags, ...types, 'typed.ts'])

  // The command, with the profiles that ship in the package: two domains in a folder, then one exchange offline.
  writeFileSync(
    join(folder, 'dev.mjs'),
    `import { mkdirSync } from 'node:fs'
import { writeFolder } from './node_modules/dragoman/dist/cli/dev/dev.js'
mkdirSync('dev')
await writeFolder('dev', { host: '127.0.0.1', port: 8080, tlsPort: 8443 })
`,
  )
  run(process.execPath, ['dev.mjs'])
  const service = run(process.execPath, ['service.mjs']).trim()
  const expected = '200 null 403 Bearer error="insufficient_scope" 401 Bearer error="invalid_token"\nfunction'
  if (service !== expected) throw new Error(`the verifying side printed ${service}`)

  const token = run('cat', ['dev/subject.jwt'])
  const translated = execFileSync(
    process.execPath,
    [
      'node_modules/dragoman/bin/dragoman.mjs',
      'translate',
      '--config',
      'dev/dragoman.yaml',
      '--profile',
      'jwt-to-cwt',
      '--json',
    ],
    { cwd: folder, encoding: 'utf8', input: token },
  )
  const { answer } = JSON.parse(translated) as { answer: { issued_token_type: string } }
  if (answer.issued_token_type !== 'urn:dragoman:token-type:cwt') throw new Error('translate')
  console.log(`package ${version}: packs, installs, works as library, in a service and as command`)
} finally {
  rmSync(folder, { recursive: true })
}
