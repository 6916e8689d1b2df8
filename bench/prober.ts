// Asks /livez and /metrics of a gateway until it is told to stop, and then how long each took. See watched.ts.
import { get } from 'node:http'
import process from 'node:process'

const EVERY = 50

const port = Number(process.argv[2])
const took: { readonly livez: number[]; readonly metrics: number[] } = { livez: [], metrics: [] }

function ask(path: 'livez' | 'metrics'): Promise<void> {
  const sent = performance.now()
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: `/${path}`, agent: false }, (response) => {
      response.resume()
      response.once('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`/${path} said ${response.statusCode}`))
        took[path].push(performance.now() - sent)
        resolve()
      })
    }).once('error', reject)
  })
}

let stopping = false
process.once('message', () => {
  stopping = true
})
// The first of each is not counted: it is slower here.
await ask('livez')
await ask('metrics')
took.livez.length = 0
took.metrics.length = 0
process.send?.('ready')
while (!stopping) {
  await ask('livez')
  await ask('metrics')
  await new Promise((resolve) => setTimeout(resolve, EVERY))
}
process.send?.(took)
process.disconnect?.()
