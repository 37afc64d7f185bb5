/** `node hack/image/main.ts [node|redis|product]... [--load]`: builds (the product by default) and loads into the cluster. */
import { openCluster } from '../cluster/open-cluster.ts'
import { createProgress } from '../cluster/progress.ts'
import { createImages } from './images.ts'

const progress = createProgress()
const names = process.argv.slice(2).filter((word) => word !== '--load')

async function main(): Promise<number> {
  const images = createImages(progress)
  const builders = new Map([
    ['node', images.node],
    ['redis', images.redis],
    ['product', images.product],
  ])
  const cluster = process.argv.includes('--load') ? await openCluster() : undefined
  for (const name of names.length === 0 ? ['product'] : names) {
    const build = builders.get(name)
    if (build === undefined) {
      console.error(`unknown image ${name}: one of ${[...builders.keys()].join(', ')}`)
      return 2
    }
    const image = await build()
    const loaded = await cluster?.loadImage(image.archive, image.name, progress)
    console.log(`${image.name}  ${image.archive}${loaded === undefined ? '' : `  (${loaded})`}`)
  }
  return 0
}

try {
  process.exitCode = await main()
} catch (cause) {
  console.error(`image: ${(cause as Error).message}`)
  process.exitCode = 1
}
