"""The fields of every kind of leaf, as section "CDDL" of the document gives them."""

from __future__ import annotations

from .record import Spec, spec

COMMON = """
1 seq uint53
2 timeMs uint53
3 timeQuality uint53
?5 status uint53
15 salt bytes16
"""

READING = """
4 channel uint53
?6 importMwh uint53
?7 exportMwh uint53
?8 activePowerMw int53
?9 stateOfChargePpm uint53
?10 voltageMv [1*8 uint53]
?11 currentMa [1*8 uint53]
?12 frequencyMhz uint53
?13 meterTimeMs uint53
?14 evidence bytes16
?16 resolutionMwh uint53
"""

LOG_MANIFEST = """
6 network text128
7 epoch uint53
8 deviceKey bytes32
9 agentVersion text128
10 assuranceTier uint53
11 bootCount uint53
?12 site text128
?13 gridZone text128
?14 timeZone text128
?16 consentReference text128
?17 recoveryKey bytes32
18 intervalMs uint53
"""

CHANNEL_MANIFEST = """
4 channel uint53
6 role uint53
?7 energySource text128
?8 technology text128
9 make text128
10 model text128
11 serial text128
?12 accuracyClass text128
?13 commissioned text128
?14 firmware text128
?16 ctRatio [1*8 uint53]
?17 vtRatio [1*8 uint53]
?18 phaseMapping text128
19 driver text128
?20 profileDigest bytes32
?21 resolutionMwh uint53
?22 maxImportMw uint53
?23 maxExportMw uint53
?24 use uint53
25 samplingMs uint53
26 name text128
27 registers uint53
"""

INTERVAL_CLOSE = """
4 channel uint53
6 t0Ms uint53
7 t1Ms uint53
?8 openingImportMwh uint53
?9 closingImportMwh uint53
?10 openingExportMwh uint53
?11 closingExportMwh uint53
12 openingSeq uint53
13 closingSeq uint53
14 count uint53
?16 minPowerMw int53
?17 maxPowerMw int53
?18 statusUnion uint53
?19 lastDiscontinuitySeq uint53
20 manifestSeq uint53
21 manifestHash bytes32
?22 previousCloseSeq uint53
?23 shape uint53
?24 lastClockStepSeq uint53
?25 lastOpaqueSeq uint53
"""

DISCONTINUITY = """
4 channel uint53
6 classification uint53
?7 oldImportMwh uint53
?8 newImportMwh uint53
?9 oldExportMwh uint53
?10 newExportMwh uint53
11 gapFromMs uint53
12 gapToMs uint53
?13 previousDiscontinuitySeq uint53
"""

CLOCK_STEP = """
6 beforeMs uint53
7 beforeQuality uint53
"""

ANCHOR = """
6 nodeKey bytes32
7 receiptHash bytes32
8 receivedAtMs uint53
9 receiptSize uint53
"""

TOMBSTONE = """
6 firstSeq uint53
7 count uint53
8 reason text128
"""

TAMPER = """
6 input text128
7 state uint53
"""

EPOCH_OPEN = """
?6 oldLogId bytes32
?7 oldSize uint53
?8 oldRoot bytes32
9 reason text128
?10 oldSignedSize uint53
"""

OPERATOR_ACTION = """
6 action text128
?7 subject bytes32
"""

FLEXIBILITY = """
4 channel uint53
6 boundary uint53
?7 averagePowerMw int53
?8 reducePowerMw uint53
?9 reduceEnergyMwh uint53
?10 increasePowerMw uint53
?11 increaseEnergyMwh uint53
?12 stateOfChargePpm uint53
?13 usableEnergyMwh uint53
?14 evidence bytes16
?16 reserveEnergyMwh uint53
?17 capacityMwh uint53
?18 importLimitMw uint53
?19 exportLimitMw uint53
?20 setpointMw int53
21 availability uint53
?22 t0Ms uint53
?23 t1Ms uint53
?24 reduceDurationMs uint53
?25 increaseDurationMs uint53
?26 limitSource uint53
?27 minSetpointMw int53
?28 maxSetpointMw int53
?29 responseMs uint53
?30 rampMwPerSecond uint53
?31 commitmentSeq uint53
?32 basis uint53
33 manifestSeq uint53
34 manifestHash bytes32
"""

OFFER = """
4 channel uint53
6 boundary uint53
7 direction uint53
8 fromMs uint53
9 toMs uint53
10 powerMw uint53
?11 energyMwh uint53
12 noticeMs uint53
13 baselineMethod text128
?14 parametersDigest bytes32
?16 calendarDigest bytes32
?17 biasPpm int53
?18 relativeRmsePpm uint53
"""

COMMITMENT = """
4 channel uint53
6 boundary uint53
7 fromMs uint53
8 intervalMs uint53
9 deltaMwh [1*100 int53]
?10 nominatedMwh [1*100 int53]
11 termsDigest bytes32
?12 offerSeq uint53
13 counterparty bstr
"""

DISPATCH = """
4 channel uint53
?6 commitmentSeq uint53
7 order bstr
"""

CHALLENGE = """
4 channel uint53
7 order bstr
"""

ACKNOWLEDGEMENT = """
4 channel uint53
6 orderSeq uint53
7 state uint53
?8 reason text128
"""

ACTUATION = """
4 channel uint53
?6 orderSeq uint53
7 action uint53
8 command uint53
?9 value int53
?10 readBack int53
?11 leaseMs uint53
?12 rampMwPerSecond uint53
?13 reason text128
?14 evidence bytes16
"""

SETTLEMENT = """
4 channel uint53
6 commitmentSeq uint53
7 baselineMethod text128
?8 usedDays [1*100 int53]
?9 excludedDays [1*100 int53]
?10 exclusionReasons [1*100 int53]
?11 baselineMwh [1*100 int53]
?12 actualMwh [1*100 int53]
?13 deliveredMwh [1*100 int53]
?14 shortfallMwh uint53
?16 reboundMwh int53
17 completenessPpm uint53
18 result uint53
"""

KINDS: dict[int, tuple[str, Spec]] = {
    0: ("reading", spec(COMMON + READING)),
    1: ("log-manifest", spec(COMMON + LOG_MANIFEST)),
    2: ("channel-manifest", spec(COMMON + CHANNEL_MANIFEST)),
    3: ("interval-close", spec(COMMON + INTERVAL_CLOSE)),
    4: ("discontinuity", spec(COMMON + DISCONTINUITY)),
    5: ("clock-step", spec(COMMON + CLOCK_STEP)),
    6: ("anchor", spec(COMMON + ANCHOR)),
    7: ("tombstone", spec(COMMON + TOMBSTONE)),
    8: ("tamper", spec(COMMON + TAMPER)),
    9: ("epoch-open", spec(COMMON + EPOCH_OPEN)),
    10: ("operator-action", spec(COMMON + OPERATOR_ACTION)),
    11: ("flexibility", spec(COMMON + FLEXIBILITY)),
    12: ("offer", spec(COMMON + OFFER)),
    13: ("commitment", spec(COMMON + COMMITMENT)),
    14: ("dispatch", spec(COMMON + DISPATCH)),
    15: ("challenge", spec(COMMON + CHALLENGE)),
    16: ("acknowledgement", spec(COMMON + ACKNOWLEDGEMENT)),
    17: ("actuation", spec(COMMON + ACTUATION)),
    18: ("settlement", spec(COMMON + SETTLEMENT)),
}
