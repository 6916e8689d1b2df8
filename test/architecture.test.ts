import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../src')
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))

/** What each folder may import, beside itself: the table of docs/architecture.md. */
const MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  core: [],
  wire: ['core'],
  codecs: ['core', 'wire'],
  stages: ['core'],
  expressions: ['core'],
  trust: ['core', 'wire'],
  grants: ['core'],
  clients: ['core', 'wire'],
  proofs: ['core', 'wire'],
  keys: ['core', 'wire'],
  stores: ['core'],
  audit: ['core'],
  tracing: ['core'],
  profiles: ['core'],
  exchange: ['core'],
  explain: ['core', 'exchange'],
  gateway: ['core', 'exchange', 'wire'],
  verify: ['core', 'wire', 'codecs', 'trust', 'proofs', 'stores', 'exchange'],
  analysis: ['core', 'codecs', 'expressions', 'keys', 'profiles', 'trust', 'config', 'top'],
}

/** `config/` puts the folders below it together, and knows nothing of those that look at it. */
const ABOVE_CONFIG: readonly string[] = ['analysis', 'testing', 'cli']

/** Files at the top put the folders together; `testing/` and `cli/` stand above them. */
const TOP = 'top'

/** May import everything, but for what stands above them. */
const ABOVE: ReadonlySet<string> = new Set([TOP, 'config', 'workers', 'testing', 'cli'])

/** Packages that live behind one folder. */
const PACKAGES: { readonly [name: string]: readonly string[] } = {
  // In `verify/` its types alone: the test below sees that nothing of it is loaded.
  fastify: ['gateway', 'verify'],
  'prom-client': ['gateway'],
  '@marcbachmann/cel-js': ['expressions'],
  yaml: ['profiles'],
  ajv: ['profiles'],
  '@opentelemetry/api': ['tracing'],
  '@opentelemetry/core': ['tracing'],
  '@opentelemetry/exporter-trace-otlp-http': ['tracing'],
  '@opentelemetry/resources': ['tracing'],
  '@opentelemetry/sdk-trace': ['tracing'],
}

const folderOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? TOP) : TOP)

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/(?:\bimport\s*\(\s*|\b(?:from|import)\s+)'([^']+)'/g)].flatMap((match) => match[1] ?? [])
}

const edges = files.flatMap((file) =>
  importsOf(file)
    .filter((target) => target.startsWith('.'))
    .map((target) => ({ from: file, to: relative(root, resolve(root, dirname(file), target)) })),
)

describe('architecture', () => {
  it('imports only downward', () => {
    const wrong = edges.filter(({ from, to }) => {
      const folder = folderOf(from)
      const target = folderOf(to)
      if (folder === 'config' && ABOVE_CONFIG.includes(target)) return true
      if (target === 'testing') return folder !== 'testing' && folder !== 'cli'
      if (folder === target || ABOVE.has(folder)) return false
      return !(MAY_IMPORT[folder] ?? []).includes(target)
    })
    expect(wrong).toEqual([])
  })

  it('keeps codecs apart from each other, and key stores', () => {
    const group = (file: string) => file.split('/').slice(0, 2).join('/')
    const inGroup = (file: string) => /^(codecs|keys)\/[^/]+\//.test(file)
    const wrong = edges.filter(({ from, to }) => inGroup(from) && inGroup(to) && group(from) !== group(to))
    expect(wrong).toEqual([])
  })

  it('has no cycle of imports', () => {
    const graph = new Map<string, string[]>()
    for (const file of files) {
      const text = readFileSync(join(root, file), 'utf8')
      // Types are gone at run time, so only imports that load a module count.
      const loaded = [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from\s+'(\.[^']+)'/gm)].flatMap(
        (m) => m[1] ?? [],
      )
      graph.set(
        file,
        loaded.map((target) => relative(root, resolve(root, dirname(file), target))),
      )
    }
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
      if (done.has(file)) return undefined
      for (const next of graph.get(file) ?? []) {
        const cycle = visit(next, [...path, file])
        if (cycle) return cycle
      }
      done.add(file)
      return undefined
    }
    expect(files.map((file) => visit(file, [])).find((cycle) => cycle !== undefined)).toBeUndefined()
  })

  it('keeps each package behind one folder', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => !target.startsWith('.') && !target.startsWith('node:'))
        .filter((target) => {
          const owners =
            PACKAGES[
              target
                .split('/')
                .slice(0, target.startsWith('@') ? 2 : 1)
                .join('/')
            ]
          return !owners?.includes(folderOf(file))
        })
        .map((target) => ({ file, target })),
    )
    expect(wrong).toEqual([])
  })

  it('gives services nothing of a gateway, and no package at all', () => {
    const loaded = new Set<string>()
    const packages: string[] = []
    const visit = (file: string): void => {
      if (loaded.has(file)) return
      loaded.add(file)
      const text = readFileSync(join(root, file), 'utf8')
      const targets = [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from\s+'([^']+)'/gm)].flatMap(
        (m) => m[1] ?? [],
      )
      for (const target of targets) {
        if (target.startsWith('.')) visit(relative(root, resolve(root, dirname(file), target)))
        else if (!target.startsWith('node:')) packages.push(target)
      }
    }
    visit('verify/index.ts')
    expect(packages).toEqual([])
    const folders = new Set([...loaded].map(folderOf))
    expect(folders).toEqual(new Set(['verify', 'core', 'wire', 'codecs', 'trust', 'proofs', 'stores', 'exchange']))
    expect([...loaded].filter((file) => file.startsWith('codecs/x509'))).toEqual([])
  })

  it('has no code for one scenario: they are configurations, and what makes samples for them', () => {
    const names = readdirSync(join(root, '../profiles/scenarios'))
    const told = files.filter(
      (file) =>
        !file.startsWith('cli/dev/') &&
        (/\bscenarios?\b/.test(readFileSync(join(root, file), 'utf8')) || names.some((name) => file.includes(name))),
    )
    expect(told).toEqual([])
    const shipped = readdirSync(join(root, '../profiles/scenarios'), { recursive: true, encoding: 'utf8' })
    expect(shipped.filter((file) => /\.(?!ya?ml$|json$|test\.ya?ml$)\w+$/.test(file))).toEqual([])
  })

  it('makes Verified values in exchange/ alone', () => {
    const makers = files.filter((file) =>
      /\bas Verified\b|\bas unknown as Verified\b/.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(makers).toEqual(['exchange/verified.ts'])
    const callers = edges.filter(({ to }) => to === 'exchange/verified.ts').map(({ from }) => folderOf(from))
    expect(new Set(callers)).toEqual(new Set(['exchange']))
  })
})
