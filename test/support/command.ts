import { run } from '../../src/cli/run.ts'

/** What one command line said, and its exit code. */
export interface Ran {
  readonly code: number
  readonly out: string
  readonly error: string
}

/** Runs one command line in this process. */
export async function command(args: readonly string[], input = ''): Promise<Ran> {
  let [out, error] = ['', '']
  const code = await run(args, {
    input: async () => input,
    out(text) {
      out += text
    },
    error(text) {
      error += text
    },
    terminal: false,
  })
  return { code, out, error }
}
