import type { Transferable } from 'node:worker_threads'

/** The half of a port or a worker that is used here. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void
  on(event: 'message', listener: (message: unknown) => void): unknown
}

/** What can be asked of a thread, by name: one value in, one out. */
export type Handlers = { readonly [name: string]: (value: never) => unknown }

/** The other thread, to be asked and told. */
export interface Peer<Theirs extends Handlers> {
  /** Rejects with what was thrown there, as its message; and with {@link Gone} when the thread ends before it answers. */
  ask<Name extends keyof Theirs & string>(
    name: Name,
    ...value: Parameters<Theirs[Name]>
  ): Promise<Awaited<ReturnType<Theirs[Name]>>>
  /** Without an answer. */
  tell<Name extends keyof Theirs & string>(name: Name, ...value: Parameters<Theirs[Name]>): void
  /** The other thread has ended: whoever waits for it hears so. */
  gone(): void
}

/** A thread ended before it answered. */
export class Gone extends Error {}

type Message =
  | { readonly ask: string; readonly value: unknown; readonly id: number | undefined }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly failure: string }

/** Questions and answers between two threads that both hold one end of a port. They arrive in the order they were sent. */
export function peer<Theirs extends Handlers>(port: Port, handlers: Handlers): Peer<Theirs> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let last = 0
  let ended = false

  async function answer(id: number | undefined, name: string, value: unknown): Promise<void> {
    const handler = handlers[name] as ((value: unknown) => unknown) | undefined
    if (handler === undefined) throw new TypeError(`nothing is called ${name}`)
    if (id === undefined) return void (await handler(value))
    try {
      port.postMessage({ answer: id, value: await handler(value) })
    } catch (error) {
      port.postMessage({ answer: id, failure: error instanceof Error ? error.message : String(error) })
    }
  }

  port.on('message', (received) => {
    const message = received as Message
    if ('ask' in message) {
      void answer(message.id, message.ask, message.value)
      return
    }
    const asker = waiting.get(message.answer)
    waiting.delete(message.answer)
    if ('failure' in message) asker?.reject(new Error(message.failure))
    else asker?.resolve(message.value)
  })

  return {
    ask(name, ...[value]) {
      if (ended) return Promise.reject(new Gone('the thread has ended'))
      last += 1
      const id = last
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
        port.postMessage({ ask: name, value, id })
      })
    },
    tell(name, ...[value]) {
      if (!ended) port.postMessage({ ask: name, value, id: undefined })
    },
    gone() {
      ended = true
      for (const { reject } of waiting.values()) reject(new Gone('the thread has ended'))
      waiting.clear()
    },
  }
}

/** The answer, or nothing where the thread ended before it gave one. */
export const unlessGone = <T>(answer: Promise<T>): Promise<T | undefined> =>
  answer.catch((error: unknown) => {
    if (error instanceof Gone) return undefined
    throw error
  })

/** The answer if it comes in time. @throws an error otherwise */
export async function inTime<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('a thread does not answer')), milliseconds)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The answer if it comes in time; otherwise, or when it is a failure, nothing. */
export const within = <T>(milliseconds: number, answer: Promise<T>): Promise<T | undefined> =>
  inTime(milliseconds, answer).catch(() => undefined)
