// SPDX-License-Identifier: Apache-2.0
// Opens the files that gen.c made with DuckDB and with hyparquet and compares every value with what
// gen.c says; then lets gen.c read what DuckDB writes. node check.mjs DIR GEN
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const BOOLEAN = 0, INT32 = 1, INT64 = 2, DOUBLE = 5
const STRING = 1, TIMESTAMP = 2, UNSIGNED = 4, NAIVE = 5

const hex = (bytes) => 'x' + Buffer.from(bytes).toString('hex')

function doubleBits(v) {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, v)
  return view.getBigUint64(0).toString(16).padStart(16, '0')
}

// One spelling for all NaN: JavaScript does not promise to keep their bits.
const sameDouble = (a) => (/^[7f]ff[89a-f]/.test(a) ? 'nan' : a)

let cases = 0, failures = 0, values = 0, found = []

// One line of TAP for what a reader made of a file.
async function run(file, reader, work) {
  found = []
  try {
    await work()
  } catch (error) {
    found.push(String(error))
  }
  console.log(`${found.length ? 'not ok' : 'ok'} ${++cases} - ${file}, ${reader}`)
  for (const what of found) console.log('# ' + what)
  failures += found.length > 0
}

function compare(reader, column, got) {
  const want = column.values
  if (got.length !== want.length) return report(column, `${got.length} rows, expected ${want.length}`)
  for (let i = 0; i < want.length; i++, values++) {
    let a = got[i], b = want[i]
    // DuckDB keeps microseconds of a time in UTC.
    if (reader === 'duckdb' && column.logical === TIMESTAMP && b !== null) b = b.slice(0, -3) + '000'
    if (column.type === DOUBLE && a !== null && b !== null) [a, b] = [sameDouble(a), sameDouble(b)]
    if (a !== b) return report(column, `row ${i}: got ${a}, expected ${b}`)
  }
}

function report(column, what) {
  found.push(`column ${column.name}: ${what}`)
}

// --- DuckDB ---------------------------------------------------------------------------------------

const quoteName = (s) => '"' + s.replaceAll('"', '""') + '"'
const quoteText = (s) => "'" + s.replaceAll("'", "''") + "'"

// Everything as text, made by DuckDB itself; doubles as they come.
function duckExpression(column) {
  const name = quoteName(column.name)
  if (column.type === DOUBLE) return name
  if (column.type === BOOLEAN) return `cast(cast(${name} as integer) as varchar)`
  if (column.logical === TIMESTAMP || column.logical === NAIVE) return `cast(epoch_ns(${name}) as varchar)`
  if (column.type === INT32 || column.type === INT64) return `cast(${name} as varchar)`
  if (column.logical === STRING) return `'x' || lower(hex(encode(${name})))`
  return `'x' || lower(hex(${name}))`
}

async function checkDuck(connection, dir, file, expected) {
  const path = quoteText(join(dir, file + '.parquet'))
  for (const column of expected.columns) {
    const result = await connection.runAndReadAll(
      `select ${duckExpression(column)} as v from read_parquet(${path}, file_row_number=true) order by file_row_number`)
    const got = result.getColumns()[0] ?? []
    compare('duckdb', column, got.map((v) => (v !== null && column.type === DOUBLE ? doubleBits(v) : v)))
    await checkDuckPruning(connection, path, column)
  }
}

// What statistics, page index and bloom filter let DuckDB skip must not change an answer: comparisons
// that it pushes into the scan must count as many rows as gen.c wrote.
async function checkDuckPruning(connection, path, column) {
  const integer = (column.type === INT32 || column.type === INT64) && column.logical !== TIMESTAMP && column.logical !== NAIVE
  if (!integer && column.logical !== STRING) return
  const bytes = (v) => Buffer.from(v.slice(1), 'hex')
  const order = integer ? (a, b) => (BigInt(a) < BigInt(b) ? -1 : a === b ? 0 : 1) : (a, b) => Buffer.compare(bytes(a), bytes(b))
  const type = (column.logical === UNSIGNED ? 'u' : '') + (column.type === INT32 ? 'integer' : 'bigint')
  const literal = (v) => (integer ? `(${v})::${type}` : quoteText(bytes(v).toString('utf8')))
  const present = column.values.filter((v) => v !== null)
  const least = present.reduce((a, b) => (order(a, b) <= 0 ? a : b), present[0])
  const most = present.reduce((a, b) => (order(a, b) >= 0 ? a : b), present[0])
  for (const value of new Set([present[0], present.at(-1), present[present.length >> 1], least, most]))
    for (const [sign, holds] of [['=', (c) => c === 0], ['<', (c) => c < 0], ['>=', (c) => c >= 0]]) {
      if (value === undefined) continue
      const result = await connection.runAndReadAll(
        `select count(*) from read_parquet(${path}) where ${quoteName(column.name)} ${sign} ${literal(value)}`)
      const got = Number(result.getRows()[0][0]), want = present.filter((v) => holds(order(v, value))).length
      if (got !== want) report(column, `${got} rows ${sign} ${value}, expected ${want}`)
    }
}

// --- hyparquet ------------------------------------------------------------------------------------

function fromHyparquet(column, v) {
  if (v === null || v === undefined) return null
  if (column.type === DOUBLE) return doubleBits(v)
  if (column.type === BOOLEAN) return v ? '1' : '0'
  if (column.type === INT32 || column.type === INT64) return String(v)
  return typeof v === 'string' ? hex(Buffer.from(v, 'utf8')) : hex(v)
}

async function checkHyparquet(dir, file, expected) {
  const bytes = readFileSync(join(dir, file + '.parquet'))
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const metadata = await parquetMetadataAsync(buffer)
  if (metadata.created_by.indexOf('takt version ') !== 0) throw new Error('created_by: ' + metadata.created_by)
  const parsers = { timestampFromNanoseconds: (v) => v }
  const rows = await parquetReadObjects({ file: buffer, metadata, compressors, utf8: false, parsers })
  for (const column of expected.columns)
    compare('hyparquet', column, rows.map((row) => fromHyparquet(column, row[column.name])))
}

// --- the other way round --------------------------------------------------------------------------

// DuckDB writes doubles in an encoding that we do not read, from the second version of pages on.
const written = (doubles) => `select
  i as "dense", case when i % 7 > 0 then i * i * 1000003 end as "big", (i % 50)::integer as "small",
  case when i % 3 > 0 then (i // 1000)::uinteger end as "runs", (i * 37 % 1000)::ubigint as "unsigned",
  'text ' || (i % 300) as "few", case when i % 5 > 0 then md5(i::varchar) end as "unique",
  from_hex(md5((i % 20)::varchar)) as "bytes", i % 4 = 0 as "flag", md5(i::varchar)::uuid as "id",
  null::varchar as "nothing" ${doubles}
  from range(20000) t(i)`

async function checkWritten(connection, dir, gen, version, codec) {
  const path = join(dir, `duckdb-${version}-${codec}.parquet`)
  const doubles = version === 'v1' ? `, case when i % 9 > 0 then i / 8 end as "double"` : ''
  await connection.run(`copy (${written(doubles)}) to ${quoteText(path)}
    (format parquet, codec '${codec}', parquet_version '${version}', row_group_size 6000)`)
  const { columns } = JSON.parse(execFileSync(gen, ['read', path], { maxBuffer: 1 << 28 }))
  const types = { small: INT32, runs: INT32, dense: INT64, big: INT64, unsigned: INT64, flag: BOOLEAN, double: DOUBLE }
  for (const ours of columns) {
    const column = { name: ours.name, type: types[ours.name], logical: ['few', 'unique'].includes(ours.name) ? STRING : 0 }
    const expression = ours.name === 'id' ? `'x' || replace("id"::varchar, '-', '')` : duckExpression(column)
    const result = await connection.runAndReadAll(
      `select ${expression} as v from read_parquet(${quoteText(path)}, file_row_number=true) order by file_row_number`)
    const theirs = result.getColumns()[0].map((v) => (v !== null && column.type === DOUBLE ? doubleBits(v) : v))
    compare('ours', { ...column, values: theirs }, ours.values)
  }
}

// --------------------------------------------------------------------------------------------------

const gen = process.argv[3]
const dir = process.argv[2]
const connection = await (await DuckDBInstance.create(':memory:')).connect()
for (const name of readdirSync(dir).filter((n) => n.endsWith('.json')).sort()) {
  const file = name.slice(0, -'.json'.length)
  const expected = JSON.parse(readFileSync(join(dir, name), 'utf8'))
  await run(file, 'DuckDB', () => checkDuck(connection, dir, file, expected))
  await run(file, 'hyparquet', () => checkHyparquet(dir, file, expected))
}
for (const version of ['v1', 'v2'])
  for (const codec of ['uncompressed', 'zstd'])
    await run(`${version} ${codec}, written by DuckDB`, 'ours', () => checkWritten(connection, dir, gen, version, codec))
connection.closeSync()
console.log(`1..${cases}`)
console.log(`# ${values} values compared`)
process.exit(failures || values === 0 ? 1 : 0)
