import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let folder: string
let beside: string
let temporary: string
const elsewhere = () => join(folder, 'elsewhere')

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-compiled-test-'))
  const bin = join(folder, 'package', 'bin')
  mkdirSync(bin, { recursive: true })
  mkdirSync(join(folder, 'package', 'dist'))
  mkdirSync(join(folder, 'tmp'))
  mkdirSync(elsewhere())
  cpSync('bin/dragoman.mjs', join(bin, 'dragoman.mjs'))
  writeFileSync(join(folder, 'package', 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'package', 'dist', 'main.js'), 'export const run = async () => 0\n')
  beside = join(folder, 'package', '.compiled')
  temporary = join(folder, 'tmp', `dragoman-compiled-${process.geteuid?.()}`)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Starts the executable with nothing behind it. */
function start(more: { readonly [name: string]: string } = {}): void {
  const { NODE_COMPILE_CACHE: _, ...env } = process.env
  execFileSync(process.execPath, [join(folder, 'package', 'bin', 'dragoman.mjs')], {
    env: { ...env, TMPDIR: join(folder, 'tmp'), ...more },
  })
}

function folderWith(mode: number, place: string): void {
  mkdirSync(place)
  chmodSync(place, mode)
}

/** Whether anything was kept in a folder. */
const kept = (place: string): boolean => existsSync(place) && readdirSync(place).length > 0

describe('code that was compiled', () => {
  it('is kept beside the package, in a folder that nobody else can look into', () => {
    start()
    expect(kept(beside)).toBe(true)
    expect(statSync(beside).mode & 0o777).toBe(0o700)
    expect(kept(temporary)).toBe(false)
  })

  it.each<[string, (place: string) => void]>([
    ['can be written to by others', (place) => folderWith(0o777, place)],
    ['can be read by its group', (place) => folderWith(0o750, place)],
    ['is a link', (place) => symlinkSync(elsewhere(), place)],
    ['is no folder', (place) => writeFileSync(place, '')],
  ])('is not kept in, nor taken from, one that %s', (_, make) => {
    make(beside)
    start()
    expect(kept(temporary)).toBe(true)
    rmSync(temporary, { recursive: true })
    make(temporary)
    start()
    expect(kept(elsewhere())).toBe(false)
    for (const place of [beside, temporary]) expect(statSync(place).isDirectory() && kept(place)).toBe(false)
  })

  it('is kept where NODE_COMPILE_CACHE says, or nowhere', () => {
    start({ NODE_COMPILE_CACHE: elsewhere() })
    expect(kept(elsewhere())).toBe(true)
    expect(kept(beside)).toBe(false)
    start({ NODE_DISABLE_COMPILE_CACHE: '1' })
    expect(kept(beside)).toBe(false)
  })
})
