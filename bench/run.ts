// What does an exchange cost, beside the signatures that it cannot do without?
//
// Unit: the pair, one ES256 verify and one ES256 sign by synchronous node:crypto, timed right before and after each burst on
// the processor that the server runs on. The server is the built package, as a process of its own, with every check on: an
// expression in each profile, single use, audit to a file, metrics. It is driven over loopback on kept connections with
// requests that were made before and differ. CPU is the operating system's accounting of the server's threads. Cases take
// turns, in reversed order each round, with a bare node:http reply among them. One answer of each is looked at first, and
// the gateway's own count of what it issued is held against the driver's.
//
//   npm run bench                     two minutes
//   npm run bench -- --full           less than nine; --write-docs puts the table into docs/performance.md
//   npm run bench -- --compare        other servers beside it, as far as they can be had
//   npm run bench -- --soak MINUTES   one long load instead, for the memory; 60 unless said otherwise
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { packageIn } from './configuration.ts'
import { freeRange, keepAwake, start } from './machine.ts'
import { show, writeDocs } from './report.ts'
import { showSoak, soak } from './soak.ts'
import { table } from './table.ts'
import { newBenchWorld } from './world.ts'

const { argv } = process
const full = argv.includes('--full')
const soaking = argv.includes('--soak')
const port = await freeRange()

execFileSync('npm', ['run', '--silent', 'build'], { cwd: join(import.meta.dirname, '..'), stdio: 'inherit' })
const folder = mkdtempSync(join(tmpdir(), 'dragoman-bench-'))
const launcher = packageIn(folder)
// Uses are remembered for as long as a token lives: those of an hour of load are more than there is room for.
const world = await newBenchWorld(folder, port, soaking ? { lifetime: 120 } : {})
const awake = soaking ? undefined : keepAwake()
const stage = {
  world,
  port,
  full,
  serve: (file: string, more: readonly string[] = []) =>
    start([launcher, 'serve', '--config', file, ...more], 'listening'),
}

try {
  if (soaking) {
    const soaked = await soak(stage, Number(argv[argv.indexOf('--soak') + 1] ?? 60))
    console.log(showSoak(soaked))
    keep(soaked.date, 'soak', soaked)
  } else {
    const figures = await table(stage, argv.includes('--compare'))
    console.log(show(figures))
    keep(figures.date, 'figures', figures)
    if (argv.includes('--write-docs')) writeDocs(join(import.meta.dirname, '../docs/performance.md'), figures)
  }
} finally {
  awake?.stop()
  rmSync(folder, { recursive: true })
}

function keep(date: string, what: string, figures: object): void {
  const results = join(import.meta.dirname, 'results')
  mkdirSync(results, { recursive: true })
  const name = join(results, `${date.replaceAll(/[:.]/g, '-')}-${what}.json`)
  writeFileSync(name, JSON.stringify(figures, null, 2))
  console.log(`written to ${name}`)
}
