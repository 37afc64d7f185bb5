// What the CronJob of back-up-database-full runs: a compressed copy of everything that the office has, read back before it counts.
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { databaseOf, recordSlot, store } from './store.mjs'

// A CronJob names its Jobs after the slot, in minutes since 1970.
const minutes = Number(process.env.JOB_NAME?.split('-').at(-1))
const slot = new Date(minutes * 60_000).toISOString().replace('.000Z', 'Z')
const beganMs = Date.now()
const text = JSON.stringify(await databaseOf())
const packed = await promisify(gzip)(text)
if (String(await promisify(gunzip)(packed)) !== text) throw new Error('the backup does not hold what was written')
await store.hset('reports:backups', `${slot} full`, packed)
await recordSlot('back-up-database-full', slot, beganMs)
console.log(JSON.stringify({ slot, bytes: packed.length }))
await store.quit()
