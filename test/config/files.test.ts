import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { filesOf, onDisk, recorded } from '../../src/config/files.ts'

function folder() {
  const path = mkdtempSync(join(tmpdir(), 'dragoman-files-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  writeFileSync(join(path, 'one.yaml'), 'first')
  mkdirSync(join(path, 'empty'))
  return path
}

describe('files of a configuration', () => {
  it('are read once, and from the snapshot as they were', () => {
    const path = folder()
    const files = recorded()
    const name = join(path, 'one.yaml')
    expect(files.read(name).toString()).toBe('first')
    expect(files.list(path)).toEqual(['empty', 'one.yaml'])
    writeFileSync(name, 'second')
    writeFileSync(join(path, 'two.yaml'), 'new')
    expect(files.read(name).toString()).toBe('first')
    const again = filesOf(structuredClone(files.snapshot))
    expect(again.read(name).toString()).toBe('first')
    expect(again.list(path)).toEqual(['empty', 'one.yaml'])
  })

  it('that were not read are not in the snapshot', () => {
    const path = folder()
    const again = filesOf(recorded().snapshot)
    expect(() => again.read(join(path, 'one.yaml'))).toThrow('not in the snapshot')
    expect(again.list(path)).toBeUndefined()
  })

  it('cannot be changed by whoever reads them', () => {
    const files = recorded()
    const name = join(folder(), 'one.yaml')
    files.read(name).fill(0)
    expect(files.read(name).toString()).toBe('first')
  })

  it('are no folders, and folders no files', () => {
    const path = folder()
    expect(onDisk.list(join(path, 'one.yaml'))).toBeUndefined()
    expect(onDisk.list(join(path, 'missing'))).toBeUndefined()
    expect(onDisk.list(join(path, 'empty'))).toEqual([])
    expect(() => onDisk.read(join(path, 'missing'))).toThrow('ENOENT')
  })
})
