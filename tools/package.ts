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
  console.log(`package ${version}: packs, installs, works as library and as command`)
} finally {
  rmSync(folder, { recursive: true })
}
