/** 4711 Wh from 1234.5 kWh on; power is 3 Wh in 10.8 s. */
export const STEADY_FRAME = `kilowitness-pulses 1
input gpiochip0:17
channel load import
constant 1000/1 pulses/kWh
start 1234500000 mWh
count 4711 at 93784005000000 ns
ignored 0 short 2 repeated
recent 3 intervals 10800000000 ns, last 93783000000000 ns
`;
