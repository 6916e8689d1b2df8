import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'

export const root = join(import.meta.dirname, '../..')
const launcher = join(root, 'bin/dragoman.mjs')
const hooks = join(import.meta.dirname, 'hooks.mjs')

/** Every page that is written by hand or made for a reader. */
export const pages: readonly string[] = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
]

export const read = (page: string): string => readFileSync(join(root, page), 'utf8')

/** The profiles that ship, by name. */
export const shipped: readonly string[] = readdirSync(join(root, 'profiles'))
  .filter((name) => /^[^.]+\.yaml$/.test(name))
  .map((name) => name.replace('.yaml', ''))

/** A fenced block. */
export interface Block {
  /** The first word behind the fence. */
  readonly language: string
  /** The rest of that line: what a test does with the block. */
  readonly use: string
  readonly text: string
}

export const blocksOf = (page: string): readonly Block[] =>
  [...read(page).matchAll(/^```(\w*)(?: ([^\n]+))?\n(.*?)^```$/gms)].map(([, language = '', use = '', text = '']) => ({
    language,
    use,
    text,
  }))

/** The blocks of a page with this behind their fence. */
export const blocks = (page: string, info: string): readonly string[] =>
  blocksOf(page)
    .filter(({ language, use }) => `${language} ${use}`.trim() === info)
    .map(({ text }) => text)

/**
 * Whether `actual` has what a page shows: its lines one after the other. `…` in a line stands for any text, `…` as a line
 * for any number of lines.
 */
export function hasShown(actual: string, shown: string): boolean {
  const source = shown
    .trimEnd()
    .split('\n')
    .map((line) => (line.trim() === '…' ? '(?:.*\\n)*?' : `${line.split('…').map(literal).join('.*')}[^\\S\\n]*\\n`))
    .join('')
  return new RegExp(`^${source}`, 'm').test(`${actual}\n`)
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/** The two terminals of a reader: one runs `dragoman dev`, commands are pasted into the other. */
export interface Reader {
  /** What was printed by `dragoman dev` when it started, in the words of the pages. */
  readonly welcome: string
  /** Follows a page from top to bottom. Rejects with what differs from it. */
  follow(page: string): Promise<void>
  close(): Promise<void>
}

// Ports of the pages: they may be taken on this machine.
const PORTS = ['8080', '8443', '9080', '9443', '9081', '9082', '9083'] as const

// What only reads may be asked again: with `serve`, an audit record is in its file some milliseconds after the answer.
const READS = /^(?:grep |tail |reason\b(?!\())/m

// A program of the page that goes on running.
const SERVICE = /^node \$DIR\/[\w.-]+ &\n$/

// Milliseconds for what is said in another process.
const PATIENCE = 5000

/** Starts `dragoman dev`, or one of its scenarios. `folder` is what the pages call `$DIR`. */
export async function newReader(folder: string, scenario?: string): Promise<Reader> {
  const free = await Promise.all(PORTS.map(freePort))
  const here = (text: string) => PORTS.reduce((all, port, at) => all.replaceAll(port, String(free[at])), text)
  const there = (text: string) =>
    PORTS.reduce((all, port, at) => all.replaceAll(`:${free[at]}`, `:${port}`), text).replaceAll(folder, '$DIR')

  const args = ['dev', '--port', here('8080'), '--tls-port', here('8443'), '--folder', folder]
  const dev = start([launcher, ...args, ...(scenario === undefined ? [] : ['--scenario', scenario])])
  await dev.says(`export DIR=${folder}`)
  // In the second in which they were made, tokens would keep their `iat`: the pages come later.
  const made = Math.floor(Date.now() / 1000)
  while (Math.floor(Date.now() / 1000) === made) await new Promise((resolve) => setTimeout(resolve, 50))
  const welcome = there(dev.text)

  async function follow(page: string): Promise<void> {
    const shell = newShell(folder)
    const servers: Running[] = []
    let output = () => ''
    let again: string | undefined
    let told = dev.text.length

    const PLACES: { readonly [place: string]: () => string } = {
      terminal: () => dev.text.slice(told),
      server: () => servers.at(-1)?.text ?? '',
    }

    async function check(text: string, now: () => string): Promise<void> {
      const limit = Date.now() + PATIENCE
      while (!hasShown(there(now()), text)) {
        if (Date.now() > limit) throw new Error(`${page} shows\n${text}\nand this came out\n${there(now())}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (again !== undefined) await paste(again)
      }
    }

    async function serves(server: Running): Promise<void> {
      servers.push(server)
      output = () => server.text
      await server.says('listening on')
      await shell.run(`PID=${server.pid}`)
    }

    async function paste(text: string): Promise<void> {
      const answer = await shell.run(here(text))
      output = () => answer
    }

    async function does({ language, use, text }: Block): Promise<void> {
      const [, file] = /^file=(\S+)$/.exec(use) ?? []
      if (file !== undefined) return writeFileSync(join(folder, file), here(text))
      if (language === 'text') return check(text, PLACES[use] ?? (() => output()))
      if (language !== 'sh') return
      told = dev.text.length
      again = scenario === undefined && READS.test(text) ? text : undefined
      if (/^(?:npm|git|dragoman dev) /.test(text)) output = () => dev.text
      else if (text.startsWith('dragoman serve ')) {
        const [, , , file = '', ...more] = text.trim().split(' ')
        await serves(start([launcher, 'serve', '--config', join(folder, file.split('/').at(-1) ?? ''), ...more]))
      } else if (SERVICE.test(text)) {
        await serves(start(['--import', hooks, join(folder, /\/([^/\s]+) &\n$/.exec(text)?.[1] ?? '')]))
      } else await paste(text)
    }

    try {
      for (const block of blocksOf(page)) await does(block)
    } finally {
      shell.close()
      await Promise.all(servers.map((server) => server.stop()))
    }
  }

  return { welcome, follow, close: () => dev.stop() }
}

interface Running {
  readonly pid: number | undefined
  readonly text: string
  says(text: string): Promise<void>
  stop(): Promise<void>
}

function start(args: readonly string[]): Running {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const heard = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (const listener of heard) listener()
    })
  }
  return {
    pid: child.pid,
    get text() {
      return text
    },
    says: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!text.includes(wanted) || !text.endsWith('\n')) return
          heard.delete(look)
          resolve()
        }
        heard.add(look)
        look()
        void ended.then(() => reject(new Error(text)))
      }),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** One shell for a page, so that a later block has the variables and functions of an earlier one. */
function newShell(folder: string): { run(text: string): Promise<string>; close(): void } {
  const child: ChildProcess = spawn('bash', ['--norc'], {
    cwd: root,
    env: { ...process.env, DIR: folder },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  // A page that is left in the middle leaves no nginx behind.
  const preamble = `exec 2>&1
PATH="$PATH:/usr/sbin"
trap 'test -f "$DIR/nginx.pid" && kill "$(cat "$DIR/nginx.pid")"' EXIT
dragoman() { '${process.execPath}' '${launcher}' "$@"; }
node() { '${process.execPath}' --import '${hooks}' "$@"; }
`
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let text = ''
  let look = () => {}
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    look()
  })
  let number = 0
  child.stdin?.write(preamble)
  return {
    run(block) {
      number += 1
      const mark = `=== end of block ${number} ===`
      text = ''
      return new Promise((resolve, reject) => {
        look = () => {
          if (text.includes(mark)) resolve(text.slice(0, text.indexOf(mark)))
        }
        void ended.then(() => reject(new Error(`the shell ended: ${text}`)))
        child.stdin?.write(`${block}\nprintf '\\n%s\\n' '${mark}'\n`)
      })
    },
    close: () => void child.kill(),
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
