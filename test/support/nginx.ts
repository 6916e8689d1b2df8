import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** Where nginx is on this machine, with `auth_request`; `undefined`: it is not. */
export const nginx: string | undefined = ['nginx', '/usr/sbin/nginx'].find((command) => {
  try {
    // Its options go to standard error.
    const version = execFileSync('sh', ['-c', `${command} -V 2>&1`], { encoding: 'utf8' })
    return version.includes('http_auth_request_module')
  } catch {
    return false
  }
})

/** Why a test was passed over. */
export const NO_NGINX = 'nginx with auth_request is not installed: apt-get install nginx'

/** One nginx with this configuration, in a folder of its own, in the foreground. */
export async function startNginx(configuration: string, port: number): Promise<{ stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-nginx-'))
  writeFileSync(join(folder, 'nginx.conf'), configuration)
  const child = spawn(nginx ?? 'nginx', ['-p', folder, '-c', 'nginx.conf', '-g', 'daemon off;'], {
    env: process.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await listening(port, child, () => `${said}\n${logOf(folder)}`)
  return {
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}

function logOf(folder: string): string {
  try {
    return readFileSync(join(folder, 'nginx.log'), 'utf8')
  } catch {
    return ''
  }
}

/** Resolves when somebody listens there. Rejects when the process has ended before. */
function listening(port: number, child: ChildProcess, why: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (child.exitCode !== null) return reject(new Error(`nginx ended: ${why()}`))
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve()
      })
      socket.once('error', () => setImmediate(look))
    }
    look()
  })
}
