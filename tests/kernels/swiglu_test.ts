import { cases } from "../../kernels/swiglu/cases.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);
