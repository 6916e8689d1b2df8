import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { watchFiles } from '../../src/cli/watch.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dragoman-watch-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
/** A time of its own for each write, since a test is faster than the clock of a file system. */
let time = 1_800_000_000
function write(name: string, text = 'x'): void {
  writeFileSync(at(name), text)
  time += 1
  utimesSync(at(name), time, time)
}

/** Looks when the test says so, and waits until the look is over. `time`: when files are read. */
function watching(
  names: string[],
  changed: () => void | Promise<void> = () => {},
  { time = Infinity, began }: { time?: number; began?: number } = {},
) {
  let wake = Promise.withResolvers<boolean>()
  let asked = Promise.withResolvers<void>()
  let calls = 0
  const watch = watchFiles(
    () => names.map(at),
    async () => {
      calls += 1
      await changed()
    },
    {
      next() {
        asked.resolve()
        return wake.promise
      },
    },
    { began, clock: () => time },
  )
  return {
    get calls() {
      return calls
    },
    ready: () => asked.promise,
    async look() {
      await asked.promise
      asked = Promise.withResolvers<void>()
      const { resolve } = wake
      wake = Promise.withResolvers<boolean>()
      resolve(true)
      await asked.promise
    },
    now: () => watch.now(),
    async end() {
      await asked.promise
      wake.resolve(false)
      await watch.ended
    },
  }
}

describe('files that are watched', () => {
  it('are told of once when one has changed and stays as it is', async () => {
    write('a')
    const watch = watching(['a'])
    await watch.ready()
    for (let look = 0; look < 3; look += 1) await watch.look()
    expect(watch.calls).toBe(0)
    write('a', 'y')
    await watch.look()
    expect(watch.calls).toBe(0)
    await watch.look()
    expect(watch.calls).toBe(1)
    for (let look = 0; look < 3; look += 1) await watch.look()
    expect(watch.calls).toBe(1)
    await watch.end()
  })

  it('are waited for while they are being written', async () => {
    write('a')
    const watch = watching(['a'])
    await watch.ready()
    for (const text of ['1', '2', '3']) {
      write('a', text)
      await watch.look()
    }
    expect(watch.calls).toBe(0)
    await watch.look()
    expect(watch.calls).toBe(1)
    await watch.end()
  })

  it('may come and go', async () => {
    write('a')
    const watch = watching(['a'])
    await watch.ready()
    rmSync(at('a'))
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(1)
    write('a')
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(2)
    await watch.end()
  })

  it('may be folders, which are another when a name in them is', async () => {
    mkdirSync(at('profiles'))
    write('profiles/one.yaml')
    const watch = watching(['profiles'])
    await watch.ready()
    write('profiles/two.yaml')
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(1)
    await watch.end()
  })

  it('may be links, which are another when they lead elsewhere', async () => {
    for (const version of ['v1', 'v2']) {
      mkdirSync(at(version))
      write(`${version}/a`)
    }
    symlinkSync('v1', at('data'))
    const watch = watching(['data/a'])
    await watch.ready()
    symlinkSync('v2', at('next'))
    renameSync(at('next'), at('data'))
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(1)
    await watch.end()
  })

  it('are told of again when they change while they are read', async () => {
    write('a')
    let meanwhile = () => write('a', 'again')
    const watch = watching(['a'], () => meanwhile())
    await watch.ready()
    write('a', 'y')
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(1)
    meanwhile = () => {}
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(2)
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(2)
    await watch.end()
  })

  it('are no news when they were read because somebody said so', async () => {
    write('a')
    const watch = watching(['a'])
    await watch.ready()
    write('a', 'y')
    await watch.look()
    await watch.now()
    expect(watch.calls).toBe(1)
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(1)
    await watch.end()
  })

  it('are told of when they have changed since they were read at a start, and only then', async () => {
    write('a')
    for (const [began, calls] of [[0, 1] as const, [Infinity, 0] as const]) {
      const watch = watching(['a'], undefined, { began })
      await watch.ready()
      for (let look = 0; look < 4; look += 1) await watch.look()
      expect(watch.calls).toBe(calls)
      await watch.end()
    }
  })

  it('are told of once more when nobody knew of them before they were read, and they changed since', async () => {
    write('a')
    write('b')
    const names = ['a']
    const watch = watching(names, () => void names.splice(1, 1, 'b'), { time: 0 })
    await watch.ready()
    write('a', 'y')
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(1)
    for (let look = 0; look < 5; look += 1) await watch.look()
    expect(watch.calls).toBe(2)
    await watch.end()
  })

  it('may be others after they were read', async () => {
    write('a')
    write('b')
    const names = ['a']
    const watch = watching(names, () => void names.push('b'))
    await watch.ready()
    write('a', 'y')
    await watch.look()
    await watch.look()
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(1)
    write('b', 'y')
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(2)
    await watch.end()
  })
})

describe('more files than are looked at in one turn', () => {
  const names = Array.from({ length: 1000 }, (_, n) => `f${n}`)
  const last = 'f999'

  it('are told of after two looks when one has been replaced, added or removed', async () => {
    for (const name of names) write(name)
    const watch = watching(names)
    await watch.ready()
    for (let look = 0; look < 5; look += 1) await watch.look()
    expect(watch.calls).toBe(0)
    write('new', 'y')
    renameSync(at('new'), at(last))
    await watch.look()
    expect(watch.calls).toBe(0)
    await watch.look()
    expect(watch.calls).toBe(1)
    rmSync(at(last))
    await watch.look()
    await watch.look()
    expect(watch.calls).toBe(2)
    for (let look = 0; look < 5; look += 1) await watch.look()
    expect(watch.calls).toBe(2)
    await watch.end()
  })

  it('are told of within five looks when one has been written in place', async () => {
    for (const name of names) write(name)
    const watch = watching(names)
    await watch.ready()
    for (const name of [last, 'f0', 'f300']) {
      const { calls } = watch
      write(name, `${name} is longer`)
      for (let look = 0; look < 5; look += 1) await watch.look()
      expect(watch.calls, name).toBe(calls + 1)
    }
    await watch.end()
  })
})
