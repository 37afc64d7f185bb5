/** `node hack/cluster/main.ts up|down|status|kubeconfig|env|load-image ARCHIVE NAME` */
import { dirname } from 'node:path'
import { openCluster } from './open-cluster.ts'
import { createProgress, formatElapsed } from './progress.ts'
import { ensureTools } from './tools.ts'

const [command, ...rest] = process.argv.slice(2)
const progress = createProgress()

async function main(): Promise<number> {
  const cluster = await openCluster()
  switch (command) {
    case 'up': {
      const startedAtMs = Date.now()
      await Promise.all([cluster.up(progress), ensureTools(progress)])
      console.log(`cluster (${cluster.name}) is up, ${formatElapsed(Date.now() - startedAtMs)}\n  export KUBECONFIG=${cluster.kubeconfig}`)
      return 0
    }
    case 'down':
      await cluster.down(progress)
      console.log(`cluster (${cluster.name}) is down`)
      return 0
    case 'status': {
      const status = await cluster.status()
      console.log(`${cluster.name}: ${status.state}${status.state === 'down' ? '' : ` (${status.detail})`}`)
      return status.state === 'up' ? 0 : 1
    }
    case 'kubeconfig':
      console.log(cluster.kubeconfig)
      return 0
    case 'env': {
      const { helm, kubectl } = await ensureTools(progress)
      // The system's kubectl comes first where there is one.
      console.log(`export KUBECONFIG='${cluster.kubeconfig}'\nexport PATH='${dirname(kubectl)}:${dirname(helm)}':"$PATH"`)
      return 0
    }
    case 'load-image': {
      const [archive, name] = rest
      if (archive === undefined || name === undefined) break
      console.log(`${name}: ${await cluster.loadImage(archive, name, progress)}`)
      return 0
    }
    default:
  }
  console.error('usage: node hack/cluster/main.ts up|down|status|kubeconfig|env|load-image ARCHIVE NAME')
  return 2
}

try {
  process.exitCode = await main()
} catch (cause) {
  console.error(`cluster: ${(cause as Error).message}`)
  process.exitCode = 1
}
