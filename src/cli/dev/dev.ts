import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { auditToFile, type WriteSome } from '../../audit/index.ts'
import { codecs } from '../../codecs/index.ts'
import { createGateway } from '../../compose.ts'
import type { AuditSink } from '../../core/audit.ts'
import { type Command, exit, type Io, UsageError } from '../io.ts'
import { untilStopped } from '../serve.ts'
import { showRecord } from '../show.ts'
import { type Alpha, alphaDomain } from './alpha.ts'
import { samples } from './commands.ts'
import { devConfiguration } from './configuration.ts'
import { type At, scenarioFiles, scenarioNames, scenarioSteps } from './scenario.ts'

const HOST = '127.0.0.1'

/** The pages read a record right after the answer, so it is in its file before that is sent. */
const AT_ONCE = { group: 0, write: async (...write: Parameters<WriteSome>) => writeSync(...write) }

/** `dragoman dev`: two trust domains in one process, with samples to paste. For looking, not for use. */
export const devCommand: Command = {
  name: 'dev',
  summary: 'runs two trust domains on loopback with keys made now, and prints a command line for each profile',
  usage: '[--scenario NAME] [--port N] [--tls-port N] [--folder DIR] [--quiet]',
  example: 'dragoman dev --port 9080',
  options: [
    ['--scenario NAME', `runs one of the scenarios in docs/scenarios: ${scenarioNames().join(', ')}`],
    ['--port N', 'HTTP port (default 8080; 0 takes a free one)'],
    ['--tls-port N', 'HTTPS port, for client certificates (default 8443; 0 takes a free one)'],
    ['--folder DIR', 'where tokens, keys and configuration are written (default: a new temporary folder)'],
    ['--quiet', 'does not tell each exchange'],
  ],
  async run(args, io) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        scenario: { type: 'string' },
        port: { type: 'string', default: '8080' },
        'tls-port': { type: 'string', default: '8443' },
        folder: { type: 'string' },
        quiet: { type: 'boolean', default: false },
      },
    })
    const port = await portOf(values.port)
    const tlsPort = await portOf(values['tls-port'])
    // Before anything is written: the folder may be that of the one who listens there.
    await freePort(port).catch(portInUse)
    const folder = folderFor(values.folder)
    const at = { host: HOST, port, tlsPort }
    const { configuration } = await writeFolder(folder, at, undefined, values.scenario)
    const gateway = await createGateway(configuration, {
      audit: (_, file) =>
        told(auditToFile(file ?? join(folder, 'audit.jsonl'), AT_ONCE), values.quiet ? undefined : io),
    })
    const [http = ''] = await gateway.listen().catch(portInUse)
    // By the name that its certificate has.
    const https = `https://localhost:${tlsPort}`
    const stopped = untilStopped(gateway, io)
    io.out(values.scenario === undefined ? welcome(http, https, folder) : opening(values.scenario, http, at, folder))
    await stopped
    return exit.done
  },
}

/** A port of the command line; 0 becomes one that is free now, since the issuer's URL must name it. */
async function portOf(text: string): Promise<number> {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new UsageError(`${text} is not a port`)
  return port === 0 ? freePort(0) : port
}

/** Binds it for a moment. Rejects with the error of the operating system when it is in use. */
function freePort(port: number): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(port, HOST, () => {
      const address = server.address()
      server.close(() => done(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

function portInUse(error: unknown): never {
  if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
  const port = 'port' in error ? `port ${error.port}` : 'a port'
  throw new Error(
    `${port} is in use, perhaps by another \`dragoman dev\`: name others, --port 0 --tls-port 0 takes free ones`,
  )
}

function folderFor(wanted: string | undefined): string {
  if (wanted === undefined) return mkdtempSync(join(tmpdir(), 'dragoman-'))
  mkdirSync(wanted, { recursive: true })
  return resolve(wanted)
}

/** Writes domain alpha's files and beta's configuration, or a scenario's, into a folder. Resolves with what was made. */
export async function writeFolder(
  folder: string,
  at: At,
  now = Math.floor(Date.now() / 1000),
  scenario?: string,
): Promise<{ readonly configuration: string; readonly alpha: Alpha }> {
  const issuer = `http://${at.host}:${at.port}`
  const alpha = await alphaDomain(codecs(), issuer, now)
  const all = new Map([
    ...alpha.files,
    ['demo.secret', 'demo-secret'],
    ['pairwise.secret', randomBytes(32).toString('base64url')],
    ['dragoman.yaml', devConfiguration(at)],
    ...(scenario === undefined ? [] : await scenarioFiles(scenario, folder, at, codecs(), alpha.signers, now)),
  ])
  // Keys are among them: for their owner only.
  for (const [name, content] of all) writeFileSync(join(folder, name), content, { mode: 0o600 })
  return { configuration: join(folder, 'dragoman.yaml'), alpha }
}

/** Tells each exchange on the terminal, beside writing its record. */
function told(sink: AuditSink, io: Io | undefined): AuditSink {
  if (io === undefined) return sink
  return {
    ...sink,
    write(record) {
      sink.write(record)
      io.out(`\n${showRecord(record)}`)
    },
  }
}

function welcome(http: string, https: string, folder: string): string {
  const lines = [
    `Domain alpha made its keys and some tokens; domain beta's gateway listens on ${http} and ${https}.`,
    'Its folder has tokens, keys, the configuration and the audit records. The pages in docs/ call it DIR:',
    '',
    `export DIR=${quoted(folder)}`,
    '',
    'Paste any of these into another terminal. `| node bin/dragoman.mjs inspect` behind it shows what came out,',
    'and this terminal tells what became of each claim.',
  ]
  for (const { profile, says, command } of samples(http, https, quoted(folder)))
    lines.push('', `# ${profile}: ${says}`, command)
  return `${lines.join('\n')}\n`
}

function opening(scenario: string, http: string, at: At, folder: string): string {
  const lines = [
    `The scenario ${scenario}, as docs/scenarios/${scenario}.md tells it; its gateway listens on ${http}.`,
    'Its folder has tokens, keys, profiles, the configuration and the audit records. Paste into another terminal, with bash:',
    '',
    `export DIR=${quoted(folder)}`,
    "# In a clone: alias dragoman='node bin/dragoman.mjs'",
    scenarioSteps(scenario, at),
  ]
  return `${lines.join('\n')}\n`
}

/** As one word for a shell. */
const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
