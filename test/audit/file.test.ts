import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { auditToFile, type WriteSome } from '../../src/audit/file.ts'
import type { AuditSink } from '../../src/core/audit.ts'
import { idsIn, record } from '../support/records.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 20)
const WAITING = 65_536

const unavailable = (path: string, more: { readonly lost?: number } = {}) =>
  expect.objectContaining({
    code: 'ERR_AUDIT_UNAVAILABLE',
    detail: { expected: 'a file that can be appended to', file: path, ...more },
  })

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'dragoman-audit-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const newFile = (): string => join(folder(), 'audit.jsonl')
const idsOf = (path: string): readonly string[] => idsIn(readFileSync(path, 'utf8'))

/** A disk that a test fills and empties: `room` bytes fit, and what does not fit is an error, as the system has it. */
function disk() {
  const state = { room: Infinity, writes: 0 }
  const write: WriteSome = async (descriptor, bytes, offset) => {
    state.writes += 1
    if (state.room === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    const written = writeSync(descriptor, bytes, offset, Math.min(state.room, bytes.length - offset))
    state.room -= written
    return written
  }
  return { state, write }
}

/** Bytes of the line of a record with an id of one character. */
const SIZE = JSON.stringify(record('a')).length + 1

const isHealthy = (sink: AuditSink, also = () => {}) =>
  vi.waitFor(() => {
    expect(sink.healthy?.()).toBe(true)
    also()
  }, OFTEN)
const isUnhealthy = (sink: AuditSink) => vi.waitFor(() => expect(sink.healthy?.()).toBe(false), OFTEN)
const OFTEN = { interval: 2, timeout: 20_000 }

describe('records to a file', () => {
  it('are one line each, in order, after what was there', async () => {
    const path = newFile()
    writeFileSync(path, `${JSON.stringify(record('before'))}\n`)
    const sink = auditToFile(path)
    for (const id of ['a', 'b', 'c']) sink.write(record(id))
    expect(sink.healthy?.()).toBe(true)
    await sink.close?.()
    expect(idsOf(path)).toEqual(['before', 'a', 'b', 'c'])
  })

  it('begin on a line of their own after one that a crash cut off', async () => {
    const path = newFile()
    writeFileSync(path, `${JSON.stringify(record('before'))}\n{"time":"2027-`)
    const sink = auditToFile(path)
    sink.write(record('a'))
    await sink.close?.()
    const lines = readFileSync(path, 'utf8').split('\n')
    expect(lines.map((line) => line.slice(0, 13))).toEqual(['{"time":"2027', '{"time":"2027', '{"time":"2027', ''])
    expect(JSON.parse(lines[2] ?? '')).toEqual(record('a'))
  })

  it('begin with no empty line after whole ones, in an empty file and in none', async () => {
    for (const before of [undefined, '', `${JSON.stringify(record('before'))}\n`]) {
      const path = newFile()
      if (before !== undefined) writeFileSync(path, before)
      const sink = auditToFile(path)
      sink.write(record('a'))
      await sink.close?.()
      expect(readFileSync(path, 'utf8')).toBe(`${before ?? ''}${JSON.stringify(record('a'))}\n`)
    }
  })

  it('that come together are written together', async () => {
    const { state, write } = disk()
    const path = newFile()
    const sink = auditToFile(path, { write })
    const ids = Array.from({ length: 1000 }, (_, n) => `${n}`)
    for (const id of ids) sink.write(record(id))
    await sink.close?.()
    expect(idsOf(path)).toEqual(ids)
    expect(state.writes).toBe(1)
  })

  it('that come while others are being written are written as well', async () => {
    const path = newFile()
    const { write } = disk()
    const sink = auditToFile(path, {
      write(...request) {
        if (ids.length < 5) add()
        return write(...request)
      },
    })
    const ids: string[] = []
    const add = () => {
      ids.push(`${ids.length}`)
      sink.write(record(ids.at(-1) ?? ''))
    }
    add()
    await vi.waitFor(() => expect(idsOf(path)).toHaveLength(5), OFTEN)
    await sink.close?.()
    expect(idsOf(path)).toEqual(ids)
  })

  it('are all in the file when close resolves, those as well that came during the last write', async () => {
    const path = newFile()
    const { write } = disk()
    const begun = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    const sink = auditToFile(path, {
      async write(...request) {
        begun.resolve()
        await held.promise
        return write(...request)
      },
    })
    sink.write(record('a'))
    await begun.promise
    sink.write(record('b'))
    const closing = sink.close?.()
    held.resolve()
    await closing
    expect(idsOf(path)).toEqual(['a', 'b'])
  })

  it.skipIf(process.platform === 'win32')('are not for everybody to read', async () => {
    const path = newFile()
    await auditToFile(path).close?.()
    expect(statSync(path).mode & 0o007).toBe(0)
  })

  it.each([
    ['in a folder that is not there', (path: string) => join(path, 'missing', 'audit.jsonl')],
    ['that is a folder', (path: string) => path],
  ])('%s stop the start', (_, place) => {
    const path = place(folder())
    expect(() => auditToFile(path)).toThrow(unavailable(path))
  })
})

describe('S-13 a disk that is full', () => {
  it('is noticed, and noticed again when it has room: nothing is lost, doubled or broken', async () => {
    const path = newFile()
    const { state, write } = disk()
    const sink = auditToFile(path, { write })
    state.room = 0
    sink.write(record('a'))
    await isUnhealthy(sink)
    sink.write(record('b', { result: 'refused' }))
    expect(sink.healthy?.()).toBe(false)
    state.room = Infinity
    await isHealthy(sink)
    await sink.close?.()
    expect(idsOf(path)).toEqual(['a', 'b'])
  })

  it('in the middle of a line has the rest of it later', async () => {
    const path = newFile()
    const { state, write } = disk()
    const sink = auditToFile(path, { write })
    state.room = SIZE + 20
    for (const id of ['a', 'b', 'c']) sink.write(record(id))
    await isUnhealthy(sink)
    expect(() => idsOf(path)).toThrow('the last line has no end')
    state.room = Infinity
    await isHealthy(sink)
    await sink.close?.()
    expect(idsOf(path)).toEqual(['a', 'b', 'c'])
  })

  it('in the middle of a line has the whole line in the next file, after a rotation', async () => {
    const path = newFile()
    const { state, write } = disk()
    const sink = auditToFile(path, { write })
    state.room = SIZE + 20
    for (const id of ['a', 'b', 'c']) sink.write(record(id))
    await isUnhealthy(sink)
    renameSync(path, `${path}.1`)
    state.room = Infinity
    sink.reopen?.()
    await sink.close?.()
    expect(idsOf(path)).toEqual(['b', 'c'])
    expect(readFileSync(`${path}.1`, 'utf8').split('\n')[0]).toBe(JSON.stringify(record('a')))
  })

  it('before anything was written has everything in the next file, after a rotation', async () => {
    const path = newFile()
    const { state, write } = disk()
    const sink = auditToFile(path, { write })
    state.room = 0
    for (const id of ['a', 'b', 'c']) sink.write(record(id))
    await isUnhealthy(sink)
    renameSync(path, `${path}.1`)
    state.room = Infinity
    sink.reopen?.()
    await sink.close?.()
    expect(idsOf(`${path}.1`)).toEqual([])
    expect(idsOf(path)).toEqual(['a', 'b', 'c'])
  })

  it('however often, loses, doubles and breaks nothing', async () => {
    // Each number is what the disk takes at one try; none: it is full.
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 400 }), { maxLength: 8 }), async (rooms) => {
        const path = newFile()
        const { state, write } = disk()
        const sink = auditToFile(path, {
          write(...request) {
            state.room = rooms.shift() ?? Infinity
            return write(...request)
          },
        })
        const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
        for (const id of ids) sink.write(record(id))
        await isHealthy(sink, () => expect(statSync(path).size).toBeGreaterThanOrEqual(SIZE * ids.length))
        await sink.close?.()
        expect(idsOf(path)).toEqual(ids)
      }),
      { numRuns: RUNS },
    )
  })

  it('to the end makes close say how many records were lost', async () => {
    const path = newFile()
    const { state, write } = disk()
    const sink = auditToFile(path, { write })
    state.room = 0
    for (const id of ['a', 'b', 'c']) sink.write(record(id))
    await expect(sink.close?.()).rejects.toThrow(unavailable(path, { lost: 3 }))
  })

  it.skipIf(!existsSync('/dev/full'))('is seen on a device that is always full', async () => {
    const sink = auditToFile('/dev/full')
    sink.write(record('a'))
    await isUnhealthy(sink)
    await expect(sink.close?.()).rejects.toThrow(unavailable('/dev/full', { lost: 1 }))
  })
})

describe('a disk that does not answer', () => {
  it('makes the sink unhealthy at 65,536 records, and refuse each beyond 131,072', async () => {
    const path = newFile()
    const { write } = disk()
    const held = Promise.withResolvers<void>()
    const sink = auditToFile(path, {
      async write(...request) {
        await held.promise
        return write(...request)
      },
    })
    for (let n = 0; n < WAITING - 1; n += 1) sink.write(record(''))
    expect(sink.healthy?.()).toBe(true)
    sink.write(record(''))
    expect(sink.healthy?.()).toBe(false)
    for (let n = 0; n < WAITING; n += 1) sink.write(record(''))
    expect(() => sink.write(record(''))).toThrow(unavailable(path))
    held.resolve()
    await isHealthy(sink)
    await sink.close?.()
    expect(idsOf(path)).toHaveLength(2 * WAITING)
  })
})

describe('reopen', () => {
  it('goes on in a new file after the old one was moved away', async () => {
    const path = newFile()
    const sink = auditToFile(path)
    sink.write(record('a'))
    await vi.waitFor(() => expect(idsOf(path)).toEqual(['a']), OFTEN)
    renameSync(path, `${path}.1`)
    sink.reopen?.()
    sink.write(record('b'))
    await sink.close?.()
    expect(idsOf(`${path}.1`)).toEqual(['a'])
    expect(idsOf(path)).toEqual(['b'])
  })

  it('makes the new file, also when there is nothing to write', async () => {
    const path = newFile()
    const sink = auditToFile(path)
    renameSync(path, `${path}.1`)
    sink.reopen?.()
    await sink.close?.()
    expect(idsOf(path)).toEqual([])
  })

  it('that finds no folder makes the sink unhealthy until there is one', async () => {
    const path = join(folder(), 'logs', 'audit.jsonl')
    mkdirSync(join(path, '..'))
    const sink = auditToFile(path)
    rmSync(join(path, '..'), { recursive: true })
    sink.reopen?.()
    sink.write(record('a'))
    await isUnhealthy(sink)
    mkdirSync(join(path, '..'))
    await isHealthy(sink)
    await sink.close?.()
    expect(idsOf(path)).toEqual(['a'])
  })

  it.skipIf(process.platform !== 'linux')('leaves no file open', async () => {
    const path = newFile()
    // By what they lead to, since other tests of this process open files of their own.
    const open = () => readdirSync('/proc/self/fd').filter((fd) => leadsTo(fd)?.startsWith(path)).length
    const sink = auditToFile(path)
    for (let n = 0; n < 5; n += 1) {
      renameSync(path, `${path}.${n}`)
      sink.reopen?.()
      await vi.waitFor(() => expect(existsSync(path)).toBe(true), OFTEN)
    }
    await vi.waitFor(() => expect(open()).toBe(1), OFTEN)
    await sink.close?.()
    expect(open()).toBe(0)
  })
})

const leadsTo = (descriptor: string): string | undefined => {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return undefined
  }
}

describe('a closed file', () => {
  // Its number may by then be that of another file, or of a connection.
  it('takes no record, is not healthy, does not open again, and closes once', async () => {
    const path = newFile()
    const sink = auditToFile(path)
    sink.write(record('a'))
    await Promise.all([sink.close?.(), sink.close?.()])
    const other = join(path, '..', 'other')
    writeFileSync(other, '')
    expect(() => sink.write(record('b'))).toThrow(unavailable(path))
    expect(sink.healthy?.()).toBe(false)
    rmSync(path)
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    sink.reopen?.()
    expect(vi.getTimerCount()).toBe(0)
    await sink.close?.()
    expect(existsSync(path)).toBe(false)
    expect(readFileSync(other, 'utf8')).toBe('')
  })
})
